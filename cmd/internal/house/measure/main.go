// Command measure prints the shape of the packages of the module in the working directory: see package house.
//
//	measure [-v] [PACKAGE ...]
//
// Packages are named as "go list" takes them; ./... by default. With -v it lists each line that is too long, and the
// files of each knot over the limit.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/doorstep-mail/doorstep/cmd/internal/house"
)

func main() {
	verbose := flag.Bool("v", false, "list long lines, and the files of knots")
	flag.Parse()
	patterns := flag.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	if err := run(os.Stdout, ".", patterns, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, root string, patterns []string, verbose bool) error {
	packages, err := house.Measure(root, patterns...)
	if err != nil {
		return err
	}
	markdown, err := house.LongMarkdown(root)
	if err != nil {
		return err
	}
	if err := table(w, packages); err != nil {
		return err
	}
	var over, long []string
	for _, p := range packages {
		over = append(over, p.Exceeds()...)
		long = append(long, p.Long...)
	}
	fmt.Fprintf(w, "\nlong lines: %d of Go, %d of Markdown\n", len(long), len(markdown))
	if verbose {
		printAll(w, long)
		printAll(w, markdown)
	}
	fmt.Fprintf(w, "\nbeyond the limits: %d\n", len(over))
	printAll(w, over)
	for _, p := range packages {
		if verbose && len(p.Exceeds()) > 0 && len(p.Knot) > 1 {
			fmt.Fprintf(w, "the knot of %s: %s\n", p.Path, strings.Join(p.Knot, " "))
		}
	}
	return nil
}

// table prints a row for each package.
func table(w io.Writer, packages []house.Package) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "package\tfiles\tlines\tknot\tmethods\tfields\tparameters\tfunction\tlong")
	for _, p := range packages {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d (%d %%)\t%s\t%s\t%s\t%s\t%d\n",
			p.Path, p.Files, p.Lines, len(p.Knot), len(p.Knot)*100/max(1, p.Files),
			named(p.Methods), named(p.Fields), named(p.Parameters), named(p.Function), len(p.Long))
	}
	return t.Flush()
}

// named renders a figure and whose it is.
func named(l house.Largest) string {
	if l.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %s", l.Count, l.Name)
}

func printAll(w io.Writer, lines []string) {
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
