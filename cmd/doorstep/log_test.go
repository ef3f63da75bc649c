package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/cmd/internal/logging"
)

// hostile is what clients say to be seen in a log: ends of lines, terminal escapes, marks that turn
// text, octets that are no text, and words that look like ours.
var hostile = []string{
	"\x1b[2J\x1b]0;x\x07", "\x00\x7f\x08", "\u202e\u2066\ufeff\u200b", "\x80\xfe\xff", "\u0085\u2028\u2029",
	`" level=ERROR msg=delivered to=root@example.org`, `", "level": "ERROR", "x": "`, "\n\tlevel=ERROR\r", "%s%n", "{{.}}",
	strings.Repeat("x", 3000),
}

// TestLogIsSafe: whatever clients say, a line of the log is one line that shows on a terminal as it
// is, begins with its level, and, where the format is JSON, is an object.
func TestLogIsSafe(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			dir := place(t)
			listening := "msg=listening"
			if format == "json" {
				listening = `"msg":"listening"`
			}
			configuration := plainConfig("") + "[log]\nlevel = \"debug\"\nformat = \"" + format + "\"\n"
			if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := launch(dir, "serve", "-c", "doorstep.toml")
			if err != nil {
				t.Fatal(err)
			}
			defer s.kill()
			s.awaitLog(t, listening)
			for _, h := range hostile {
				word := strings.NewReplacer("\r", "", "\n", "", " ", "").Replace(h)
				for _, line := range []string{
					"MAIL FROM:<" + h + "@src.example>", "MAIL FROM:<a@src.example> " + h,
					"MAIL FROM:<" + h + "@src.example> SMTPUTF8", "RCPT TO:<" + word + "@example.org>",
					"RCPT TO:<alice@" + word + ">", `RCPT TO:<"` + word + `"@example.org>`, "RCPT TO:<alice+" + word + "@example.org>",
				} {
					d := dial(t, dir)
					d.want("220 ")
					d.say("LHLO "+word, "")
					d.say("LHLO x", "250-")
					if strings.HasPrefix(line, "RCPT") {
						d.say("MAIL FROM:<a@src.example> SMTPUTF8", "250")
					}
					d.say(line, "")
					d.say("QUIT", "")
					d.conn.Close()
				}
			}
			s.signal(t, syscall.SIGTERM)
			s.exitCode(t)
			lines := strings.Split(strings.TrimSuffix(s.log.String(), "\n"), "\n")
			if len(lines) < 2*len(hostile) {
				t.Errorf("only %d lines", len(lines))
			}
			for _, line := range lines {
				checkLine(t, format, line)
			}
		})
	}
}

// beginning is how every line begins.
var beginning = map[string]*regexp.Regexp{
	"text": regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=`),
	"json": regexp.MustCompile(`^\{"time":"[^"]+","level":"(DEBUG|INFO|WARN|ERROR)","msg":"`),
}

func checkLine(t *testing.T, format, line string) {
	t.Helper()
	if !beginning[format].MatchString(line) {
		t.Errorf("begins otherwise: %q", line)
	}
	if !utf8.ValidString(line) || strings.ContainsFunc(line,
		func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }) {
		t.Errorf("not safe to be shown: %q", line)
	}
	if len(line) > 20_000 {
		t.Errorf("a line of %d octets", len(line))
	}
	if format == "json" {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Errorf("%v: %q", err, line)
		}
	}
}

// TestEscapeJSON: what is escaped is read as before.
func TestEscapeJSON(t *testing.T) {
	for _, s := range append([]string{"plain", "用户 josé", "\U000e0001", "a\u202eb"}, hostile...) {
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&logging.Output{W: &out, Json: true}, nil)).Info("x", "s", s)
		var read struct{ S string }
		if err := json.Unmarshal(out.Bytes(), &read); err != nil || utf8.ValidString(s) && read.S != s {
			t.Errorf("%q is read as %q: %v", s, read.S, err)
		}
		checkLine(t, "json", strings.TrimSuffix(out.String(), "\n"))
	}
}

// TestLogPipeClosed: the reader of the log goes away, and mail is delivered; what is lost is counted.
func TestLogPipeClosed(t *testing.T) {
	dir := place(t)
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(plainConfig(adminConfig)), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("doorstep", "serve", "-c", "doorstep.toml")
	cmd.Dir, cmd.Stderr, cmd.Stdout = dir, w, w
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	said, buf := "", make([]byte, 4096)
	for !strings.Contains(said, "admin listener") {
		n, err := r.Read(buf)
		if err != nil {
			t.Fatal(err, said)
		}
		said += string(buf[:n])
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		deliverOne(t, dir)
	}
	if n := len(stored(t, dir, "alice")); n != 3 {
		t.Errorf("%d messages are stored", n)
	}
	// What the start still had to say may be among them.
	lost := regexp.MustCompile(`(?m)^doorstep_log_lines_lost_total ([3-9]|\d\d)$`)
	eventually(t, func() bool {
		return lost.MatchString(strings.Join(scrape(t, dir), "\n"))
	},
		func() string { return strings.Join(scrape(t, dir), "\n") })
}

// TestLogIsDocumented: every key of a recipient's line, and every rule of the source, is in
// docs/logging.md.
func TestLogIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/logging.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, heading := range []string{"key", "rule"} {
		for _, cell := range column(string(page), heading) {
			for _, word := range regexp.MustCompile("`([a-z_0-9]+)`").FindAllStringSubmatch(cell, -1) {
				documented[word[1]] = true
			}
		}
	}
	log, err := os.ReadFile(strangers(t, place(t), "json"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(log)) {
		var keys map[string]any
		if err := json.Unmarshal([]byte(line), &keys); err != nil {
			t.Fatal(err)
		}
		if keys["transaction"] == nil {
			continue
		}
		lines++
		for key := range keys {
			if !documented[key] && key != "time" && key != "level" && key != "msg" {
				t.Errorf("key %s is not documented: %s", key, line)
			}
		}
	}
	if lines < 2 {
		t.Errorf("only %d lines for recipients", lines)
	}
	rules := 0
	word := regexp.MustCompile(`(?:Rule: |Rule = |"rule", )"([a-z_0-9]+)"`)
	for _, s := range sources(t) {
		if s.isTest() {
			continue
		}
		for line := range strings.Lines(string(s.text)) {
			m := word.FindStringSubmatch(line)
			if m == nil || strings.Contains(line, "Step{") { // which lookup explains
				continue
			}
			rules++
			if !documented[m[1]] {
				t.Errorf("%s: rule %s is not documented", s.path, m[1])
			}
		}
	}
	if rules < 15 {
		t.Errorf("only %d rules", rules)
	}
}
