package filter

import (
	"fmt"
	"text/tabwriter"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"github.com/spf13/cobra"
)

// A Capability is an extension as extensions lists it.
type Capability struct {
	Name     string `json:"name"`
	Standard string `json:"standard"`
	Default  bool   `json:"default"` // whether scripts may require it unless something else is configured
}

// extensionsCommand lists what scripts may require.
func extensionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "extensions",
		Short: "List the extensions that Sieve scripts may require",
		Args:  cli.NoArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var list []Capability
		for _, e := range sieve.Extensions() {
			if e.Name != "" {
				list = append(list, Capability{Name: e.Name, Standard: e.Standard, Default: !e.Off})
			}
		}
		if *asJSON {
			return cli.PrintJSON(cmd.OutOrStdout(), list)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
		for _, c := range list {
			state := "on"
			if !c.Default {
				state = "off"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", c.Name, state, c.Standard)
		}
		return w.Flush()
	}
	return cmd
}
