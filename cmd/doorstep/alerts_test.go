package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

const (
	rulesFile     = "../../dist/prometheus/doorstep.rules.yml"
	rulesTest     = "../../dist/prometheus/doorstep.rules.test.yml"
	dashboardFile = "../../dist/grafana/doorstep.json"
)

// TestAlertRules: Prometheus' own tool takes the alerts, each of them fires where it should, and
// none where all is well.
func TestAlertRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"test", "rules", rulesTest}} {
		if said, err := peer.Promtool(t, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, said)
		}
	}
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(rulesTest)
	if err != nil {
		t.Fatal(err)
	}
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	if len(alerts) < 10 {
		t.Errorf("only %d alerts", len(alerts))
	}
	for _, a := range alerts {
		if !strings.Contains(string(tests), `{alertname="`+a[1]+`"}`) ||
			!strings.Contains(string(tests), "alertname: "+a[1]+"}") {
			t.Errorf("%s is not tested to fire and to be quiet", a[1])
		}
	}
}

// A dashboard is of Grafana's form only what the test reads.
type dashboard struct {
	Annotations struct {
		List []struct{ Expr string }
	}
	Panels []struct {
		ID      int
		Title   string
		Type    string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
}

// boardQueries returns the expressions of the dashboard, with its variables filled in.
func boardQueries(t *testing.T) (list []string) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	seen := map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its id is taken, it has no title, or does not fit", p.ID, p.Title)
		}
		seen[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			list = append(list, variables.Replace(target.Expr))
		}
	}
	for _, a := range d.Annotations.List {
		list = append(list, variables.Replace(a.Expr))
	}
	return list
}

// TestDashboard: Prometheus' own tool takes every query.
func TestDashboard(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	all := boardQueries(t)
	if len(all) < 25 {
		t.Errorf("only %d queries", len(all))
	}
	for i, q := range all {
		fmt.Fprintf(&rules, "  - record: query_%d\n    expr: %q\n", i, q)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := peer.Promtool(t, "check", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

var (
	// metricUse is a metric in a query, with its matchers where it has some.
	metricUse = regexp.MustCompile(`\b((?:doorstep|process|go)_[a-z_]+)\b(?:\{([^}]*)\})?`)
	matcher   = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!=|!~|=)\s*"`)
	// grouping is what is left after an aggregation.
	grouping = regexp.MustCompile(`by \(([^)]*)\)\s*\(`)
)

// TestQueriesFindSomething: every metric of the alerts and of the dashboard is in a scrape of a
// running server, with the labels that are asked for.
func TestQueriesFindSomething(t *testing.T) {
	dir := place(t)
	s := serveAdmin(t, dir)
	exercise(t, s, dir)
	eventually(t, func() bool { return strings.Contains(strings.Join(scrape(t, dir), "\n"), `outcome="refused"`) },
		func() string { return "no refusal" })
	labels := map[string]map[string]bool{} // of each metric
	for _, line := range scrape(t, dir) {
		name, rest, _ := strings.Cut(line, "{")
		name, _, _ = strings.Cut(name, " ")
		if labels[name] == nil {
			labels[name] = map[string]bool{"instance": true, "job": true} // Prometheus' own
		}
		for _, l := range matcher.FindAllStringSubmatch(rest, -1) {
			labels[name][l[1]] = true
		}
	}
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]bool{}
	for _, query := range append(boardQueries(t), string(rules)) {
		for _, use := range metricUse.FindAllStringSubmatch(query, -1) {
			uses[use[1]] = true
			if labels[use[1]] == nil {
				t.Errorf("%s is not in a scrape", use[1])
				continue
			}
			for _, l := range matcher.FindAllStringSubmatch(use[2], -1) {
				if !labels[use[1]][l[1]] {
					t.Errorf("%s has no label %s", use[1], l[1])
				}
			}
		}
	}
	for _, query := range boardQueries(t) {
		for _, by := range grouping.FindAllStringSubmatch(query, -1) {
			for label := range strings.SplitSeq(by[1], ",") {
				label = strings.TrimSpace(label)
				if !slices.ContainsFunc(metricUse.FindAllStringSubmatch(query, -1),
					func(use []string) bool { return labels[use[1]][label] }) {
					t.Errorf("no metric of %s has the label %s", query, label)
				}
			}
		}
	}
	if len(uses) < 25 {
		t.Errorf("only %d metrics are used: %q", len(uses), slices.Sorted(maps.Keys(uses)))
	}
}
