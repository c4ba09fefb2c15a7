"""The leaves: one folder (or file) for each thing that users notice. `synapse_like.catalogue` lists them."""
