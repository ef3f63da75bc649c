package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// administrative are the verbs for those who run the server; their pages are in section 8.
var administrative = []string{"serve", "reload", "upgrade", "status", "trace"}

// manCommand writes the man pages, made from the same tree as the help.
func manCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "man [DIR]",
		Short: "Write the man pages",
		Long: "Man prints the man page doorstep(1), or writes all pages below a directory: one for each verb, in\n" +
			"man1 and man8, and doorstep.toml(5) in man5.",
		Example: "  doorstep man | man -l -\n  doorstep man /usr/local/share/man",
		Args:    cli.AtMostOneArgument,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		root := cmd.Root()
		root.DisableAutoGenTag = true
		built, err := buildDate()
		if err != nil {
			return cli.Failed(err, "unset it, or set it to what date +%s prints")
		}
		if len(args) == 0 {
			page, err := manPage(root, built)
			if err != nil {
				return cli.Failed(err, "")
			}
			_, err = cmd.OutOrStdout().Write(page)
			return err
		}
		if err := writeMan(root, args[0], built); err != nil {
			return cli.Failed(fmt.Errorf("write man pages: %w", err), "give a directory in which you may write")
		}
		return nil
	}
	return cmd
}

// writeMan writes all pages.
func writeMan(root *cobra.Command, dir string, built time.Time) error {
	for _, section := range []string{"man1", "man5", "man8"} {
		if err := os.MkdirAll(filepath.Join(dir, section), 0o755); err != nil {
			return err
		}
	}
	page := []byte(config.Man(manSource(), built))
	if err := os.WriteFile(filepath.Join(dir, "man5", "doorstep.toml.5"), page, 0o644); err != nil {
		return err
	}
	return writeManTree(root, dir, built)
}

func writeManTree(cmd *cobra.Command, dir string, built time.Time) error {
	for _, below := range cmd.Commands() {
		if !below.IsAvailableCommand() || below.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := writeManTree(below, dir, built); err != nil {
			return err
		}
	}
	page, err := manPage(cmd, built)
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	section := manSection(cmd.Name())
	return os.WriteFile(filepath.Join(dir, "man"+section, name+"."+section), page, 0o644)
}

// reference is how a page names another.
var reference = regexp.MustCompile(`doorstep-([a-z]+)\(1\)`)

// manPage is the page of a verb. Where it names others it says their sections, which cobra takes to
// be its own.
func manPage(cmd *cobra.Command, built time.Time) ([]byte, error) {
	cmd.InitDefaultHelpFlag()
	var page bytes.Buffer
	header := &doc.GenManHeader{Section: "1", Source: manSource(), Manual: "Doorstep", Date: &built}
	if err := doc.GenMan(cmd, header, &page); err != nil {
		return nil, err
	}
	text := reference.ReplaceAllFunc(page.Bytes(), func(r []byte) []byte {
		verb := string(reference.FindSubmatch(r)[1])
		return fmt.Appendf(nil, "doorstep-%s(%s)", verb, manSection(verb))
	})
	return bytes.Replace(text, []byte(`" "1" "`), []byte(`" "`+manSection(cmd.Name())+`" "`), 1), nil
}

func manSection(verb string) string {
	if slices.Contains(administrative, verb) {
		return "8"
	}
	return "1"
}

func manSource() string { return "Doorstep " + cli.Version }

// buildDate is the date on the pages: SOURCE_DATE_EPOCH, which keeps them the same from build to build
// (reproducible-builds.org), or today.
func buildDate() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 || seconds > lastEpoch {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, no number of seconds since 1970", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// lastEpoch is the end of the year 9999: dates have four digits for the year.
const lastEpoch = 253402300799
