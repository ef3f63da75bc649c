package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/spf13/cobra"
)

// A buildInfo is what version prints as JSON.
type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // "" where the build does not know it
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// versionCommand says what this is.
func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cli.NoArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(buildInfo{
				cli.Version, strings.TrimSpace(revision()), runtime.Version(), runtime.GOOS, runtime.GOARCH,
			})
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), versionText())
		return err
	}
	return cmd
}

func versionText() string {
	return fmt.Sprintf("doorstep %s%s (%s, %s/%s)", cli.Version, revision(), runtime.Version(), runtime.GOOS,
		runtime.GOARCH)
}

// revision is the commit that the program was built from, where the build knows it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}
