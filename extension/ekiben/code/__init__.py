"""The notebook's own code, taken apart: cells, names, values, local modules, data files."""
