package dist

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestUnits: systemd finds nothing wrong with the units, and the service is closed off well.
func TestUnits(t *testing.T) {
	peer.Need(t, "systemd-analyze", "man")
	dir := t.TempDir()
	program := filepath.Join(dir, "doorstep")
	build(t, repository, "1.2.3", program)
	man := filepath.Join(dir, "man")
	run(t, dir, program, "man", man)
	var units []string
	for _, name := range []string{"doorstep.service", "doorstep.socket"} {
		text, err := os.ReadFile(filepath.Join(repository, "dist/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		// The program and its pages are not installed here.
		unit := filepath.Join(dir, name)
		if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/bin/doorstep", program)),
			0o644); err != nil {
			t.Fatal(err)
		}
		units = append(units, unit)
	}
	t.Setenv("MANPATH", man)
	t.Setenv("SYSTEMD_UNIT_PATH", dir+":")
	if said := run(t, dir, "systemd-analyze", append([]string{"verify"}, units...)...); said != "" {
		t.Errorf("systemd-analyze verify says:\n%s", said)
	}
	checkDropIn(t, dir, units[0])
	for file, line := range map[string]string{
		"dist/sysusers.d/doorstep.conf": "u doorstep",
		"dist/tmpfiles.d/doorstep.conf": "d /run/doorstep",
	} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil || !strings.Contains(string(text), "\n"+line) {
			t.Errorf("%s does not say %q: %v", file, line, err)
		}
	}
	users, err := filepath.Abs(filepath.Join(repository, "dist/sysusers.d/doorstep.conf"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, dir, "systemd-sysusers", "--dry-run", users)
}

// checkExposure wants the service closed off well, and returns what systemd says of it. Unlike
// "verify" this reads drop-ins.
func checkExposure(t *testing.T, dir, unit string) string {
	t.Helper()
	said := run(t, dir, "systemd-analyze", "security", "--offline=true", unit)
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(said)
	if level == nil {
		t.Fatalf("systemd-analyze security gives no level:\n%s", said)
	}
	t.Logf("exposure level %s", level[1])
	if exposure, err := strconv.ParseFloat(level[1], 64); err != nil || exposure >= 2 {
		t.Errorf("exposure level %s, want less than 2.0:\n%s", level[1], said)
	}
	if strings.Contains(said, "ignoring") {
		t.Errorf("systemd does not understand all of %s:\n%s", unit, said)
	}
	return said
}

// withOwners are what the service has with the drop-in for owners, and has not without.
var withOwners = []string{"✗ CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)", "✗ AmbientCapabilities=",
	"✗ SystemCallFilter=~@privileged"}

// checkDropIn adds the drop-in for owners, and wants it to change the service.
func checkDropIn(t *testing.T, dir, unit string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "dist/systemd/doorstep-owners.conf"))
	if err != nil {
		t.Fatal(err)
	}
	before := checkExposure(t, dir, unit)
	place := filepath.Join(dir, "doorstep.service.d")
	if err := os.Mkdir(place, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(place, "owners.conf"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	after := checkExposure(t, dir, unit)
	for _, line := range withOwners {
		if strings.Contains(before, line) || !strings.Contains(after, line) {
			t.Errorf("%q is not what the drop-in changes", line)
		}
	}
}

// TestDockerfile: what hadolint would look for, of what there is here.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "dist/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"FROM": true, "WORKDIR": true, "COPY": true, "RUN": true, "ARG": true, "USER": true,
		"VOLUME": true,
		"EXPOSE": true, "STOPSIGNAL": true, "ENTRYPOINT": true, "CMD": true}
	last, continued := map[string]string{}, false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if continued {
			verb = "RUN"
		}
		continued = strings.HasSuffix(line, `\`)
		if !known[verb] {
			t.Errorf("%q is no instruction that is expected", line)
		}
		if verb == "FROM" && rest != "scratch" && !exact.MatchString(rest) {
			t.Errorf("%q does not say which version (DL3006, DL3007)", line)
		}
		if (verb == "ENTRYPOINT" || verb == "CMD") && !strings.HasPrefix(rest, `["`) {
			t.Errorf("%q needs a shell, which there is none of (DL3025)", line)
		}
		last[verb] = rest
	}
	if uid, _, _ := strings.Cut(last["USER"], ":"); uid == "" || uid == "0" || uid == "root" {
		t.Errorf("runs as %q (DL3002)", last["USER"])
	}
	if last["FROM"] != "scratch" {
		t.Errorf("the last stage is %q", last["FROM"])
	}
	gomod, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)`).FindStringSubmatch(string(gomod))
	if toolchain == nil || !strings.Contains(string(text), "FROM golang:"+toolchain[1]+"-") {
		t.Errorf("is not built with the toolchain that go.mod names: %q", toolchain)
	}
}

// exact is a tag with a whole version, or a digest.
var exact = regexp.MustCompile(`:\d+\.\d+\.\d+(-\S+)?( AS \w+)?$|@sha256:[0-9a-f]{64}`)

// TestServiceLimits: the garbage collector works harder before the kernel ends the service, and there are threads for
// as many connections as the configuration allows by default (config.Room: a quarter of them).
func TestServiceLimits(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "dist/systemd/doorstep.service"))
	if err != nil {
		t.Fatal(err)
	}
	number := func(pattern string) int {
		t.Helper()
		found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(string(text))
		if found == nil {
			t.Fatalf("the unit has no %s", pattern)
		}
		n, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	collect, most := number(`Environment=GOMEMLIMIT=(\d+)MiB`), number(`MemoryMax=(\d+)G`)
	if collect > most*1024*9/10 {
		t.Errorf("GOMEMLIMIT is %d MiB, and MemoryMax %d GiB", collect, most)
	}
	if tasks := number(`TasksMax=(\d+)`); tasks/4 < 1000+40 {
		t.Errorf("TasksMax is %d, which is too few for 1000 connections", tasks)
	}
}
