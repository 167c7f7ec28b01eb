"""Everything that needs no Blender: requests, jobs, the journal, the worker and the protocol."""
