package main

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/dustin/go-humanize"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
)

// A target is what a figure is held against: a quotient that is to be at least so much or, without a divisor, an amount
// of memory that is to be at most so much.
type target struct {
	what         string
	want         float64
	figure       func(Result) float64
	of, to       string // CASE/CONTENDER
	withoutSyncs bool   // show the same for "none" too, which no durability can exceed
}

func rate(r Result) float64   { return r.Rate }
func cpu(r Result) float64    { return r.CPU }
func memory(r Result) float64 { return float64(r.Memory) }

// targets are the aims of the project. What was not measured is left open.
var targets = []target{
	{"1 session, rate of Dovecot's", 3, rate, "many-1/group", "many-1/dovecot", true},
	{"16 sessions, rate of Dovecot's", 5, rate, "many-16/group", "many-16/dovecot", true},
	{"16 sessions, Dovecot's processor time of ours", 8, cpu, "many-16/dovecot", "many-16/group", true},
	{"64 sessions, rate of Dovecot's", 8, rate, "many-64/group", "many-64/dovecot", true},
	{"64 sessions, Dovecot's processor time of ours", 10, cpu, "many-64/dovecot", "many-64/group", true},
	{"64 sessions, Dovecot's memory of ours", 3, memory, "many-64/dovecot", "many-64/group", false},
	{"16 sessions into one mailbox, rate of Dovecot's", 12, rate, "one/group", "one/dovecot", true},
	{"50 recipients × 100 KiB, `single_copy`, rate of Dovecot's", 6, rate, "fanout/single", "fanout/dovecot", false},
	{"50 recipients × 100 KiB, rate of Dovecot's", 2, rate, "fanout/group", "fanout/dovecot", true},
	{"1 session, rate of the floor's", 0.6, rate, "many-1/group", "many-1/floor", false},
	{"16 sessions, rate of the floor's", 0.6, rate, "many-16/group", "many-16/floor", false},
	{"64 sessions, rate of the floor's", 0.6, rate, "many-64/group", "many-64/floor", false},
	{"slow disk, 1 session, rate of the floor's", 0.9, rate, "slow-1/group", "slow-1/floor", false},
	{"slow disk, 16 sessions, rate of the floor's", 0.9, rate, "slow-16/group", "slow-16/floor", false},
	{"slow disk, 64 sessions, rate of the floor's", 0.9, rate, "slow-64/group", "slow-64/floor", false},
	{"16 sessions, with quotas, rate of that without", 0.9, rate, "many-16/quota", "many-16/group", false},
	{"16 sessions into one mailbox, with a quota, rate of that without", 0.9, rate, "one/quota", "one/group", false},
	{"16 sessions, accounts in SQLite, rate of those in the configuration", 0.9, rate, "many-16/sqlite",
		"many-16/group", false},
	{"16 sessions × 25 MiB, rate of the floor's", 0.8, rate, "bulk-16/group", "bulk-16/floor", false},
	{"16 sessions × 25 MiB, memory", 64 * mib, memory, "bulk-16/group", "", false},
	{"10,000 idle connections, memory", 320 * mib, memory, "idle-10000/group", "", false},
	{"mailbox of 1,000,000 files, rate of that with 1,000", 0.9, rate, "grown-1000000/group", "grown-1000/group", false},
}

// rows are the lines of the targets in the table.
func (r *Report) rows() (rows []string) {
	for _, t := range targets {
		bound, shown, figure := "≤ "+octets(int64(t.want)), octets, t.figure(r.at(t.of))
		met, without := figure <= t.want, ""
		format := func(f float64) string { return shown(int64(f)) }
		if t.to != "" {
			bound, format = "≥ "+times(t.want), times
			figure = ratio(figure, t.figure(r.at(t.to)))
			met = figure >= t.want
		}
		if none := strings.NewReplacer("/group", "/none"); t.withoutSyncs {
			without = times(ratio(t.figure(r.at(none.Replace(t.of))), t.figure(r.at(none.Replace(t.to)))))
		}
		verdict := "**no**"
		switch {
		case figure == 0:
			verdict, format = "not measured", func(float64) string { return "–" }
		case met:
			verdict = "yes"
		}
		rows = append(rows, strings.Join([]string{t.what, bound, format(figure), verdict, without}, " | "))
	}
	return rows
}

// at finds the result of CASE/CONTENDER.
func (r *Report) at(place string) Result {
	name, contender, _ := strings.Cut(place, "/")
	for _, c := range r.Cases {
		if c.Name == name {
			return c.of(contender)
		}
	}
	return Result{}
}

// Unit is what a rate of the case is counted in.
func (c CaseReport) Unit() string {
	if c.Bulk {
		return "MiB/s"
	}
	return "deliveries/s"
}

// Speed is a rate, in the unit of the case.
func (c CaseReport) Speed(r Result) string {
	if c.Bulk {
		return humanize.Comma(int64(r.Rate*float64(c.Size)/mib + 0.5))
	}
	return humanize.Comma(int64(r.Rate + 0.5))
}

// Of compares the rate with another contender's.
func (c CaseReport) Of(r Result, contender string) string {
	return times(ratio(r.Rate, c.of(contender).Rate))
}

// ForEach is the memory of one idle connection.
func (c CaseReport) ForEach(r Result) string { return octets((r.Memory - r.Before) / int64(c.Idle)) }

// ratio is 0 where one of the two is missing.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func times(ratio float64) string {
	switch {
	case ratio == 0:
		return "–"
	case ratio < 10:
		return fmt.Sprintf("%.2f ×", ratio)
	}
	return fmt.Sprintf("%.1f ×", ratio)
}

// seconds has three digits, and the unit that fits.
func seconds(s float64) string {
	if s == 0 {
		return "–"
	}
	for _, unit := range []string{"s", "ms"} {
		if s >= 0.9995 {
			return fmt.Sprintf("%.3g %s", s, unit)
		}
		s *= 1000
	}
	return fmt.Sprintf("%.3g µs", s)
}

func micros(us float64) string  { return seconds(us / 1e6) }
func millis(ms float64) string  { return seconds(ms / 1e3) }
func octets(n int64) string     { return humanize.IBytes(uint64(max(n, 0))) }
func firstWord(s string) string { return strings.Fields(s + " unknown")[0] }

// title stands out where it is ours.
func title(r Result) string {
	if r.Contender == "group" {
		return "**" + r.Title + "**"
	}
	return r.Title
}

// line is the first line of a text, for a cell of a table.
func line(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return strings.ReplaceAll(first, "|", "/")
}

// A panel of the chart has the bars of a case; they have a scale of their own, as what is compared is within a case.
type panel struct {
	CaseReport
	X, Y, Bottom int
	Bars         []bar
}

type bar struct {
	Result
	Y, Width, End int
	Label, Value  string
}

// panels places them in pixels, two side by side, and says how high the chart is.
func (r *Report) panels() (panels []panel, height int) {
	const fastestWidth, barsAt, rowHeight, titleHeight, gap = 182, 166, 19, 28, 20
	height = 64
	label := strings.NewReplacer("go-smtp + go-maildir", "go-smtp/-maildir", "the floor: a bare loop", "the floor")
	rated := slices.DeleteFunc(slices.Clone(r.Cases), func(c CaseReport) bool { return c.fastest() == 0 })
	for row := range slices.Chunk(rated, 2) {
		most := 0
		for i, c := range row {
			p := panel{CaseReport: c, X: 20 + i*490, Y: height, Bottom: titleHeight + len(c.Results)*rowHeight}
			for i, r := range c.Results {
				width := max(int(r.Rate/c.fastest()*fastestWidth), 1)
				b := bar{Result: r, Y: titleHeight + i*rowHeight, Width: width, End: barsAt + width + 6}
				b.Label, b.Value = label.Replace(r.Title), c.Speed(r)
				if of := c.Of(r, "dovecot"); of != times(0) && r.Contender != "dovecot" {
					b.Value += "  (" + of + ")"
				}
				p.Bars = append(p.Bars, b)
			}
			panels, most = append(panels, p), max(most, p.Bottom)
		}
		height += most + gap
	}
	return panels, height
}

//go:embed *.tmpl
var templates embed.FS

// fill fills in one of the templates.
func (r *Report) fill(name string) (string, error) {
	t, err := template.New("").Funcs(template.FuncMap{"count": cli.Count, "octets": octets, "micros": micros,
		"millis": millis, "title": title, "line": line, "kind": firstWord, "targets": r.rows}).ParseFS(templates, "*")
	if err != nil {
		return "", err
	}
	panels, height := r.panels()
	var b strings.Builder
	err = t.ExecuteTemplate(&b, name, struct {
		*Report
		Panels []panel
		Height int
	}{r, panels, height})
	return b.String(), err
}

// Marks of the page between which this program writes.
const pageBegin, pageEnd = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"

// writePage writes the chart and, where there is a page of the name of out, its table.
func (r *Report) writePage(out string) error {
	chart, err := r.fill("chart.svg.tmpl")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "chart.svg"), []byte(chart), 0o644); err != nil {
		return err
	}
	say("results are in %s", out)
	page := filepath.Clean(out) + ".md"
	old, err := os.ReadFile(page)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	table, failed := r.fill("page.md.tmpl")
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), pageBegin)
	_, after, found := strings.Cut(rest, pageEnd)
	if !ok || !found {
		return fmt.Errorf("%s: no %q followed by %q", page, pageBegin, pageEnd)
	}
	return os.WriteFile(page, []byte(before+pageBegin+table+pageEnd+after), 0o644)
}
