package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Report is all that a run has found, as bench.json holds it.
type Report struct {
	Date     string            `json:"date"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Settings Settings          `json:"settings"`
	Cases    []CaseReport      `json:"cases"`
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
	Rates     []float64 `json:"rates,omitempty"`   // deliveries a second, by round
	Rate      float64   `json:"rate,omitempty"`    // their median
	CPUs      []float64 `json:"cpus_us,omitempty"` // processor time of a delivery, by round
	CPU       float64   `json:"cpu_us,omitempty"`
	Load      float64   `json:"load_us,omitempty"` // processor time of the load generator
	Memory    int64     `json:"memory,omitempty"`  // peak, octets
	Before    int64     `json:"before,omitempty"`  // of an Idle case: the memory without connections
	P50       float64   `json:"p50_ms,omitempty"`
	P99       float64   `json:"p99_ms,omitempty"`

	loads []float64
}

// add notes a round.
func (r *Result) add(s sample, deliveries int) {
	n := float64(deliveries)
	r.Rates = append(r.Rates, n/s.took.Seconds())
	r.CPUs = append(r.CPUs, float64(s.cpu.Microseconds())/n)
	r.loads = append(r.loads, float64(s.load.Microseconds())/n)
	r.Rate, r.CPU, r.Load = median(r.Rates), median(r.CPUs), median(r.loads)
}

func median(values []float64) float64 {
	sorted, middle := slices.Sorted(slices.Values(values)), len(values)/2
	switch {
	case len(values) == 0:
		return 0
	case len(values)%2 == 1:
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// of finds the result of a contender; it is empty where nothing was measured.
func (c CaseReport) of(contender string) Result {
	for _, result := range c.Results {
		if result.Contender == contender && result.Missing == "" {
			return result
		}
	}
	return Result{}
}

// fastest is the highest rate of a case.
func (c CaseReport) fastest() (most float64) {
	for _, r := range c.Results {
		most = max(most, r.Rate)
	}
	return most
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

// write writes the figures as JSON, and as text for benchstat.
func (r *Report) write(out string) error {
	figures, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(out, 0o755),
		os.WriteFile(filepath.Join(out, reportFile), append(figures, '\n'), 0o644),
		os.WriteFile(filepath.Join(out, "bench.txt"), []byte(r.benchstat()), 0o644))
}

// benchstat writes the rounds in the format of Go's benchmarks (https://go.dev/design/14313-benchmark-format), one
// line each: "benchstat old/bench.txt new/bench.txt" says which difference is more than chance.
func (r *Report) benchstat() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pkg: doorstep/bench\ncpu: %s\n", r.Machine.CPU)
	for _, c := range r.Cases {
		for _, result := range c.Results {
			name := fmt.Sprintf("Benchmark/case=%s/by=%s-%d", c.Name, result.Contender, r.Machine.Cores)
			for i, rate := range result.Rates {
				fmt.Fprintf(&b, "%s %d %.0f ns/op %.1f deliveries/s", name, result.Messages*c.Recipients, 1e9/rate, rate)
				if i < len(result.CPUs) { // older reports have the median alone
					fmt.Fprintf(&b, " %.1f cpu-µs/op", result.CPUs[i])
				}
				b.WriteString("\n")
			}
			if result.P99 > 0 {
				fmt.Fprintf(&b, "%s %d %.3f p50-ms %.3f p99-ms\n", name, result.Messages, result.P50, result.P99)
			}
			if result.Memory > 0 {
				fmt.Fprintf(&b, "%s 1 %d peak-B\n", name, result.Memory)
			}
		}
	}
	return b.String()
}
