"""Images made here: no daemon, no root, no engine. ``builder.Oci`` is the plugin, the others are its parts."""
