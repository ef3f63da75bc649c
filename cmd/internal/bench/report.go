package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Report is all that a run has found, as bench.json holds it.
type Report struct {
	Date     string            `json:"date"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Settings Settings          `json:"settings"`
	Cases    []CaseReport      `json:"cases"`
	// Allocations on the heap of a message through package lmtp.
	Allocations float64 `json:"allocations,omitempty"`
}

// Settings are how it was measured.
type Settings struct {
	Rounds  int      `json:"rounds"`
	Period  string   `json:"period"`
	Dovecot []string `json:"dovecot"` // lines beside the defaults
}

// A CaseReport is what came of one case.
type CaseReport struct {
	Case
	Results []Result `json:"results"`
}

// A Result is one contender's.
type Result struct {
	Contender string    `json:"contender"`
	Title     string    `json:"title"`
	Missing   string    `json:"missing,omitempty"` // why there is nothing more
	Messages  int       `json:"messages,omitempty"`
	Rates     []float64 `json:"rates,omitempty"` // deliveries a second, by round
	Rate      float64   `json:"rate,omitempty"`  // their median
	CPU       float64   `json:"cpu_us,omitempty"`
	Load      float64   `json:"load_us,omitempty"` // processor time of the load generator
	Memory    int64     `json:"memory,omitempty"`  // peak, octets
	Before    int64     `json:"before,omitempty"`  // of an Idle case: the memory without connections
	P50       float64   `json:"p50_ms,omitempty"`
	P99       float64   `json:"p99_ms,omitempty"`

	cpus, loads []float64
}

// add notes a round.
func (r *Result) add(s sample, deliveries int) {
	r.Rates = append(r.Rates, float64(deliveries)/s.took.Seconds())
	r.cpus = append(r.cpus, float64(s.cpu.Microseconds())/float64(deliveries))
	r.loads = append(r.loads, float64(s.load.Microseconds())/float64(deliveries))
	r.Rate, r.CPU, r.Load = median(r.Rates), median(r.cpus), median(r.loads)
}

func (r *Result) addDetail(d detail) {
	r.P50, r.P99, r.Memory = milliseconds(d.p50), milliseconds(d.p99), d.memory
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// of finds a contender's result.
func (c CaseReport) of(contender string) *Result {
	for i := range c.Results {
		if c.Results[i].Contender == contender {
			return &c.Results[i]
		}
	}
	return nil
}

// ratio compares a result with another contender's; 0 where one of them is missing.
func (c CaseReport) ratio(r Result, contender string) float64 {
	other := c.of(contender)
	if other == nil || other.Rate == 0 {
		return 0
	}
	return r.Rate / other.Rate
}

const reportFile = "bench.json"

func readReport(out string) (*Report, error) {
	b, err := os.ReadFile(filepath.Join(out, reportFile))
	if err != nil {
		return nil, err
	}
	r := new(Report)
	return r, json.Unmarshal(b, r)
}

// Where the page about it all has what the program writes.
const (
	pageBegin = "<!-- bench: begin -->\n"
	pageEnd   = "<!-- bench: end -->\n"
)

// writeResults writes the figures, the chart and, where there is a page of that name, its table.
func writeResults(r *Report, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	figures, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, reportFile), append(figures, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, chartFile), []byte(chart(r)), 0o644); err != nil {
		return err
	}
	page := filepath.Clean(out) + ".md"
	old, err := os.ReadFile(page)
	if os.IsNotExist(err) {
		say("results are in %s", out)
		return nil
	}
	if err != nil {
		return err
	}
	picture := "![Deliveries a second of each contender, case by case](" + filepath.Base(out) + "/" + chartFile + ")\n\n"
	updated, err := between(string(old), pageBegin, pageEnd, picture+table(r))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	say("results are in %s and %s", out, page)
	return os.WriteFile(page, []byte(updated), 0o644)
}

// between replaces what stands between two marks.
func between(text, begin, end, middle string) (string, error) {
	before, rest, ok := strings.Cut(text, begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		return "", fmt.Errorf("no %q followed by %q", begin, end)
	}
	return before + begin + middle + end + after, nil
}
