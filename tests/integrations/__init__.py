"""The packages that the README names beside the framework, each one as it really is."""
