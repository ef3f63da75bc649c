package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

func TestMain(m *testing.M) {
	// The parts of the program run as it, under another name.
	if part, ok := parts[filepath.Base(os.Args[0])]; ok {
		exit(part(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestMedianAndPercentile(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.values, got, tt.want)
		}
	}
	var times []time.Duration
	for i := range 101 {
		times = append(times, time.Duration(100-i))
	}
	if p50, p99 := percentile(times, 50), percentile(times, 99); p50 != 50 || p99 != 99 {
		t.Errorf("%d and %d", p50, p99)
	}
}

// TestAliases: every address that smtp-source counts up to leads to one mailbox, and all mailboxes have as many,
// within one.
func TestAliases(t *testing.T) {
	seen := map[string]int{}
	for _, b := range boxes()[:mailboxes] {
		if len(b.aliases) < aliases {
			t.Fatalf("%s has %d addresses", b.name, len(b.aliases))
		}
		for _, a := range b.aliases {
			seen[a]++
		}
	}
	for _, a := range []string{"1u", "999u", "1000u", "10000u"} {
		if seen[a] != 1 {
			t.Errorf("%s leads to %d mailboxes", a, seen[a])
		}
	}
}

// TestPage: the page about performance gets its table between the marks, and nothing else of it changes. A page
// without marks is left alone.
func TestPage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "performance")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	r := &Report{Date: "2026-01-02", Cases: []CaseReport{{cases[0], []Result{{Contender: "group", Rate: 12}}}}}
	page := out + ".md"
	for _, tt := range []struct{ old, begin, end string }{
		{"a\n" + pageBegin + "old\n" + pageEnd + "z\n", "a\n" + pageBegin + "![", " |\n" + pageEnd + "z\n"},
		{"a\n" + pageEnd + pageBegin, "a\n" + pageEnd + pageBegin, ""},
	} {
		if err := os.WriteFile(page, []byte(tt.old), 0o644); err != nil {
			t.Fatal(err)
		}
		err := r.writePage(out)
		got, _ := os.ReadFile(page)
		if (err == nil) != (tt.end != "") || !strings.HasPrefix(string(got), tt.begin) ||
			!strings.HasSuffix(string(got), tt.end) {
			t.Errorf("%q became %q, %v", tt.old, got, err)
		}
	}
}

// TestDocsAreMadeOfTheFigures: the table and the chart of docs/performance.md are those of docs/performance/bench.json.
func TestDocsAreMadeOfTheFigures(t *testing.T) {
	const docs = "../../../docs/performance"
	r, err := readReport(docs)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(docs + ".md")
	if err != nil {
		t.Fatal(err)
	}
	chart, err := os.ReadFile(filepath.Join(docs, "chart.svg"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(docs, "bench.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), pageBegin)
	table, _, _ := strings.Cut(after, pageEnd)
	for name, got := range map[string]string{"page.md.tmpl": table, "chart.svg.tmpl": string(chart)} {
		if want, err := r.fill(name); err != nil || got != want {
			t.Errorf("%s of the figures is not what docs have, %v: run make bench BENCH=-render", name, err)
		}
	}
	if string(text) != r.benchstat() {
		t.Error("bench.txt is not of the figures: run make bench BENCH=-render")
	}
}

// TestBenchstat: each round is a line that benchstat reads: a name, iterations, and pairs of a value and its unit.
func TestBenchstat(t *testing.T) {
	r := &Report{Versions: map[string]string{"Go": "1.26"}, Machine: Machine{Cores: 2}, Cases: []CaseReport{
		{cases[0], []Result{{Contender: "group", Messages: 100, Rates: []float64{1000, 1100}, CPUs: []float64{70, 71},
			P50: 1, P99: 2.5, Memory: 4096}, {Contender: "dovecot", Missing: "not here"}}}}}
	lines := []string{}
	for text := range strings.Lines(r.benchstat()) {
		if strings.HasPrefix(text, "Benchmark") {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	want := []string{
		"Benchmark/case=many-1/by=group-2 100 1000000 ns/op 1000.0 deliveries/s 70.0 cpu-µs/op",
		"Benchmark/case=many-1/by=group-2 100 909091 ns/op 1100.0 deliveries/s 71.0 cpu-µs/op",
		"Benchmark/case=many-1/by=group-2 100 1.000 p50-ms 2.500 p99-ms",
		"Benchmark/case=many-1/by=group-2 1 4096 peak-B",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
}

// TestRender: whatever a report holds, the chart is XML and the table has a row for each result.
func TestRender(t *testing.T) {
	r := &Report{Machine: Machine{CPU: "A & B <C>", Cores: 2, FileSystem: "ext4 (rw)"}, Settings: Settings{Rounds: 3}}
	for _, c := range cases {
		missing := Result{Contender: "dovecot", Title: "Dovecot LMTP", Missing: "needs dovecot | root\nmore"}
		r.Cases = append(r.Cases, CaseReport{c,
			[]Result{{Contender: "group", Title: "Doorstep", Rate: 1234, CPU: 12}, missing}})
	}
	drawn, err := r.fill("chart.svg.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(drawn)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(drawn, "not measured") || !strings.Contains(drawn, "prefers-color-scheme: dark") {
		t.Error("the chart lacks what is missing, or its dark colors")
	}
	table, err := r.fill("page.md.tmpl")
	if got := strings.Count(table, "\n| Dovecot LMTP | – needs dovecot"); err != nil || got != len(r.Cases) {
		t.Errorf("%d rows of %d, %v", got, len(r.Cases), err)
	}
}

// TestBudget: the time that is left is shared among the cases that are left, whatever takes part.
func TestBudget(t *testing.T) {
	o, err := parseOptions([]string{"-within", "10m"})
	if err != nil || !o.million || o.only != withinContenders {
		t.Fatalf("%+v, %v", o, err)
	}
	b := &bench{options: o, deadline: time.Now().Add(10 * time.Minute)}
	cases := plan(o)
	planned := time.Duration(0)
	for _, c := range cases {
		p := b.periodFor(c, len(cases))
		for _, who := range contenders(o) {
			if c.wants(who.name) {
				planned += p * time.Duration(o.rounds+1)
			}
		}
	}
	if planned > 6*time.Minute || planned < 3*time.Minute {
		t.Errorf("%v of 10 minutes are for measuring", planned)
	}
	b.deadline = time.Now().Add(-time.Minute)
	if p := b.periodFor(cases[0], 1); p != shortestPeriod {
		t.Errorf("%v when the time is over", p)
	}
}

// TestTargets: what meets a target, what misses it, and what was not measured.
func TestTargets(t *testing.T) {
	r := &Report{Cases: []CaseReport{
		{Case{Name: "many-1"}, []Result{{Contender: "group", Rate: 2900}, {Contender: "dovecot", Rate: 1000},
			{Contender: "floor", Rate: 4000}, {Contender: "none", Rate: 8000}}},
		{Case{Name: "bulk-16"}, []Result{{Contender: "group", Rate: 1, Memory: 60 * mib}}},
		{Case{Name: "grown-1000"}, []Result{{Contender: "group", Rate: 100}}},
		{Case{Name: "grown-1000000"}, []Result{{Contender: "group", Rate: 95}}},
	}}
	got, err := r.fill("page.md.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 1 session, rate of Dovecot's | ≥ 3.00 × | 2.90 × | **no** | 8.00 × |",
		"| 1 session, rate of the floor's | ≥ 0.60 × | 0.72 × | yes |  |",
		"| 16 sessions, rate of Dovecot's | ≥ 5.00 × | – | not measured | – |",
		"| 16 sessions × 25 MiB, memory | ≤ 64 MiB | 60 MiB | yes |  |",
		"| mailbox of 1,000,000 files, rate of that with 1,000 | ≥ 0.90 × | 0.95 × | yes |  |",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestRefusesMemory(t *testing.T) {
	const shm = "/dev/shm"
	if fs, _ := mounted(shm); !strings.HasPrefix(fs, "tmpfs") {
		t.Skip(shm + " is not in memory here")
	}
	if err := onDisk(shm); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("no refusal with a hint: %v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range [][]string{{"more"}, {"-rounds", "0"}, {"-period", "-1s"}} {
		if _, err := parseOptions(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	o, err := parseOptions([]string{"-quick", "-dir", "d"})
	if err != nil || o.out != filepath.Join("d", "results") {
		t.Errorf("%+v, %v", o, err)
	}
	o.cases = "many-16,idle"
	names := []string{}
	for _, c := range plan(o) {
		names = append(names, c.Name)
	}
	if want := []string{"many-16", "idle-1000", "idle-10000"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// TestParts runs the two contenders that are part of the program, with "doorstep send" and with smtp-source.
func TestParts(t *testing.T) {
	peer.Need(t, "smtp-source")
	client := peer.BuildDoorstep(t, t.TempDir())
	for _, who := range []contender{{"floor", "", startFloor}, {"go", "", goSMTP(false)},
		{"go-synced", "", goSMTP(true)}} {
		t.Run(who.name, func(t *testing.T) {
			s, err := makeSite(peer.Dir(t), client)
			defer s.end()
			if err != nil {
				t.Fatal(err)
			}
			running, err := who.start(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range []Load{{Sessions: 3, Recipients: 4, Size: 4 * kib},
				{Sessions: 2, Recipients: 1, Size: 200 * kib, Box: "one"}} {
				d, err := running.look(t.Context(), l, 6)
				if err != nil || d.p50 <= 0 || d.p99 < d.p50 || d.memory < mib {
					t.Fatalf("%+v, %v", d, err)
				}
			}
			for _, l := range []Load{{Sessions: 3, Recipients: 1, Size: 200 * kib, Box: "one"},
				{Sessions: 2, Recipients: 1, Size: 2 * mib}} {
				got, err := running.run(t.Context(), l, 7)
				if err != nil || got.took <= 0 || got.cpu <= 0 || (got.load > 0) != (who.name != "floor") {
					t.Errorf("%+v, %v", got, err)
				}
			}
			files, err := filepath.Glob(s.mail() + "/*/new/*")
			if err != nil || len(files) != 6*4+6+7+7 {
				t.Errorf("%d files, %v", len(files), err)
			}
		})
	}
}
