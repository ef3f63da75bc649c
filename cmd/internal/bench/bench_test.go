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

func TestParseStat(t *testing.T) {
	line := "4242 (a) b (c) S 1 4200 4199 0 -1 4194560 1 2 3 4 150 50 30 20 20 0 9 0 1 2 3"
	got, err := parseStat(line)
	if want := (procStat{session: 4199, cpu: 2500 * time.Millisecond}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 (x) S 1 2 x 0 0 0 0 0 0 0 1 1 1 1 0"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestPss(t *testing.T) {
	rollup := "55d0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:   9000 kB\nPss:    1234 kB\nPss_Anon:  1 kB\n"
	if got := parsePss(rollup); got != 1234*kib {
		t.Errorf("%d", got)
	}
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

// TestAliases: every address that smtp-source counts up to leads to one mailbox, and all
// mailboxes have as many, within one.
func TestAliases(t *testing.T) {
	seen := map[string]int{}
	for i := range mailboxes {
		list := aliasesOf(i)
		if len(list) < aliases {
			t.Fatalf("mailbox %d has %d addresses", i, len(list))
		}
		for _, a := range list {
			seen[a]++
		}
	}
	for _, a := range []string{"1u", "999u", "1000u", "10000u"} {
		if seen[a] != 1 {
			t.Errorf("%s leads to %d mailboxes", a, seen[a])
		}
	}
}

func TestBetween(t *testing.T) {
	page := "a\n" + pageBegin + "old\n" + pageEnd + "z\n"
	got, err := between(page, pageBegin, pageEnd, "new\n")
	if want := "a\n" + pageBegin + "new\n" + pageEnd + "z\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := between("a\n"+pageEnd+pageBegin, pageBegin, pageEnd, ""); err == nil {
		t.Error("a page with its marks the wrong way round is taken")
	}
}

// TestRender: whatever a report holds, the chart is XML and the table has a row for each result.
func TestRender(t *testing.T) {
	r := &Report{Machine: Machine{CPU: "A & B <C>", Cores: 2, FileSystem: "ext4 (rw)"}, Settings: Settings{Rounds: 3}}
	for _, c := range plan(options{million: true}) {
		missing := Result{Contender: "dovecot", Title: "Dovecot LMTP", Missing: "needs dovecot | root\nmore"}
		r.Cases = append(r.Cases, CaseReport{c,
			[]Result{{Contender: "group", Title: "Doorstep", Rate: 1234, CPU: 12}, missing}})
	}
	drawn := chart(r)
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
	if got := strings.Count(table(r), "\n| Dovecot LMTP | – needs dovecot"); got != len(r.Cases) {
		t.Errorf("%d rows of %d", got, len(r.Cases))
	}
}

func TestPeriods(t *testing.T) {
	text := ""
	for _, tt := range []struct {
		add  time.Duration
		want string
	}{{4 * time.Second, "4s"}, {4 * time.Second, "4s"}, {310 * time.Millisecond, "300ms to 4s"},
		{time.Second, "300ms to 4s"}} {
		if text = periods(text, tt.add); text != tt.want {
			t.Errorf("%q, want %q", text, tt.want)
		}
	}
}

// TestBudget: the time that is left is shared among the cases that are left, whoever takes part.
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
	r := &Report{Allocations: 8, Cases: []CaseReport{
		{Case{Name: "many-1"}, []Result{{Contender: "group", Rate: 2900}, {Contender: "dovecot", Rate: 1000},
			{Contender: "floor", Rate: 4000}, {Contender: "none", Rate: 8000}}},
		{Case{Name: "bulk-16"}, []Result{{Contender: "group", Rate: 1, Memory: 60 * mib}}},
		{Case{Name: "grown-1000"}, []Result{{Contender: "group", Rate: 100}}},
		{Case{Name: "grown-1000000"}, []Result{{Contender: "group", Rate: 95}}},
	}}
	got := table(r)
	for _, want := range []string{
		"| 1 session, rate of Dovecot's | ≥ 3.00 × | 2.90 × | **no** | 8.00 × |",
		"| 1 session, rate of the floor's | ≥ 0.60 × | 0.72 × | yes |  |",
		"| 16 sessions, rate of Dovecot's | ≥ 5.00 × | – | not measured | – |",
		"| 16 sessions × 25 MiB, memory | ≤ 64.0 MiB | 60.0 MiB | yes |  |",
		"| mailbox of 1,000,000 files, rate of that with 1,000 | ≥ 0.90 × | 0.95 × | yes |  |",
		"| 4 KB message through `lmtp`, heap allocations | ≤ 9 | 8 | yes |  |",
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

// TestParts runs the two contenders that are part of the program, with a load of our own, and by smtp-source.
func TestParts(t *testing.T) {
	peer.Need(t, "smtp-source")
	for _, who := range []contender{{"floor", "", startFloor}, {"go", "", goSMTP(false)},
		{"go-synced", "", goSMTP(true)}} {
		t.Run(who.name, func(t *testing.T) {
			h := new(host)
			defer h.end()
			dir := t.TempDir()
			for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) { // where others may go
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			s, err := makeSite(h, dir)
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
			several := Load{Sessions: 3, Recipients: 1, Size: 200 * kib, Box: "one", Sources: 2}
			got, err := running.run(t.Context(), several, 7)
			if err != nil || got.took <= 0 || (got.load > 0) != (who.name != "floor") {
				t.Errorf("%+v, %v", got, err)
			}
			files, err := filepath.Glob(s.mail() + "/*/new/*")
			if err != nil || len(files) != 6*4+6+7 {
				t.Errorf("%d files, %v", len(files), err)
			}
		})
	}
}
