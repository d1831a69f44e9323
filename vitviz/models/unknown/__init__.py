"""Networks of unknown names: roles matched by structure, and the transformer that they are put into."""
