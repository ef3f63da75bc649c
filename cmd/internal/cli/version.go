package cli

// Version is set by the Makefile from the tag of a release.
var Version = "0.1.0-dev"
