"""Images beside ``bentoml containerize``: the same model, base, registry and machine in one run."""
