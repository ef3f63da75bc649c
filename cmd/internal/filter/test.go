package filter

import (
	"fmt"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/delivery/sieve/svtest"
	"github.com/spf13/cobra"
)

// testCommand runs test scripts.
func testCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test FILE.svtest...",
		Short: "Run test scripts in the form of Pigeonhole's test suite",
		Long: "Test runs scripts that require vnd.dovecot.testsuite: they set a message, run Sieve scripts and look\n" +
			"at what these did, in a store that is in memory. It exits with 1 when a test fails.\n\n" +
			"What the scripts run of programs they find in the directory of --programs, whatever their settings say.",
		Args: files,
	}
	asJSON := cmd.Flags().Bool("json", false, "print all tests as JSON")
	programs := programFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		runner, err := programs()
		if err != nil {
			return err
		}
		if runner != nil {
			defer closeRunner(runner, &err)
		}
		var blocks []svtest.Block
		passed, broken := 0, 0
		for _, file := range args {
			found, problems, err := svtest.Run(cmd.Context(), file, runner)
			if err != nil {
				return cli.Failed(err, "")
			}
			if len(problems) > 0 {
				printProblems(cmd, problems)
				broken++
			}
			for _, b := range found {
				if b.OK {
					passed++
				} else if !*asJSON {
					fmt.Fprintf(cmd.OutOrStdout(), "%s:%d: %s: %s\n", b.File, b.Line, b.Test, b.Text)
				}
			}
			blocks = append(blocks, found...)
		}
		if *asJSON {
			if err := cli.PrintJSON(cmd.OutOrStdout(), blocks); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(cmd.OutOrStdout(), "%d of %s passed\n", passed, cli.Count(len(blocks), "test"))
		}
		if broken > 0 {
			return cli.Failed(fmt.Errorf("%s cannot be used", cli.Count(broken, "test script")), "")
		}
		if passed < len(blocks) {
			return &cli.Failure{Code: cli.ExitFailure}
		}
		return nil
	}
	return cmd
}
