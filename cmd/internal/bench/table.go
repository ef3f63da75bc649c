package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table returns the figures in Markdown.
func table(r *Report) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured on %s: %s, %s, %s of memory, Linux %s; %s on %s, a flush takes %.2f ms (median of an "+
		"fdatasync\n"+
		"behind a 4 KiB write); load average %.1f before and %.1f behind. %s. Median of %s of about %s each.\n",
		r.Date, m.CPU, count(m.Cores, "core"), octets(m.Memory), m.Kernel, m.FileSystem, m.Device, m.FlushMS,
		m.LoadBefore, m.LoadAfter, versions(r.Versions), count(r.Settings.Rounds, "round"), r.Settings.Period)
	targetTable(&b, r)
	for _, c := range r.Cases {
		fmt.Fprintf(&b, "\n### %s\n\n", c.Title)
		if c.Idle > 0 {
			idleTable(&b, c)
		} else {
			loadTable(&b, c)
		}
	}
	return b.String()
}

func versions(v map[string]string) string {
	var list []string
	for name, version := range v {
		list = append(list, name+" "+version)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func loadTable(b *strings.Builder, c CaseReport) {
	unit := "deliveries/s"
	if c.Bulk {
		unit = "MiB/s"
	}
	fmt.Fprintf(b, "| | %s | of Dovecot | of the floor | CPU each | the load's CPU | memory | p50 | p99 "+
		"|\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", unit)
	for _, r := range c.Results {
		if r.Missing != "" {
			fmt.Fprintf(b, "| %s | – %s | | | | | | | |\n", r.Title, strings.ReplaceAll(firstLine(r.Missing), "|", "/"))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", bold(r.Contender, r.Title), c.speed(r),
			times(c.ratio(r, "dovecot")), times(c.ratio(r, "floor")), micros(r.CPU), micros(r.Load), octets(r.Memory),
			millis(r.P50), millis(r.P99))
	}
}

func idleTable(b *strings.Builder, c CaseReport) {
	b.WriteString("| | memory, with them | before | for each |\n|---|--:|--:|--:|\n")
	for _, r := range c.Results {
		if r.Missing != "" {
			fmt.Fprintf(b, "| %s | – %s | | |\n", bold(r.Contender, r.Title), firstLine(r.Missing))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", bold(r.Contender, r.Title), octets(r.Memory), octets(r.Before),
			octets((r.Memory-r.Before)/int64(c.Idle)))
	}
}

// speed is a rate, in the unit of the case.
func (c Case) speed(r Result) string {
	rate := r.Rate
	if c.Bulk {
		rate *= float64(c.Size) / mib
	}
	return thousands(int(rate + 0.5))
}

func bold(contender, title string) string {
	if contender == "group" {
		return "**" + title + "**"
	}
	return title
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
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

func micros(us float64) string {
	switch {
	case us == 0:
		return "–"
	case us >= 10_000:
		return fmt.Sprintf("%.0f ms", us/1000)
	}
	return fmt.Sprintf("%.0f µs", us)
}

func millis(ms float64) string {
	switch {
	case ms >= 1000:
		return fmt.Sprintf("%.2f s", ms/1000)
	case ms >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.3g ms", ms)
}

// octets in the unit that fits.
func octets(n int64) string {
	switch {
	case n >= 10*1024*mib:
		return fmt.Sprintf("%.0f GiB", float64(n)/(1024*mib))
	case n >= mib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/kib)
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
