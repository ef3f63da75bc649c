package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manCommand writes the man pages, made from the same tree as the help.
func manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "man [DIR]",
		Short:   "Write the man pages",
		Long:    "Man prints the man page doorstep(1), or writes one page for each verb into a directory.",
		Example: "  doorstep man | man -l -\n  doorstep man /usr/local/share/man/man1",
		Args:    atMostOneArgument,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		root.DisableAutoGenTag = true
		built := buildDate()
		header := &doc.GenManHeader{Section: "1", Source: "Doorstep " + version, Manual: "Doorstep", Date: &built}
		if len(args) == 0 {
			return doc.GenMan(root, header, cmd.OutOrStdout())
		}
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return failed(err, "")
		}
		if err := doc.GenManTree(root, header, args[0]); err != nil {
			return failed(fmt.Errorf("write man pages: %w", err), "")
		}
		return nil
	}
	return cmd
}

// buildDate is the date on the pages. A fixed one keeps them the same from build to build
// (reproducible-builds.org, SOURCE_DATE_EPOCH).
func buildDate() time.Time {
	return time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
}
