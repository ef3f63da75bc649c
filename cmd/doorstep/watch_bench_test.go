package main

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
)

// BenchmarkWatched is a delivery over a session, without syncs, with and without those who hear
// of it: metrics, the status page, and traces that nobody watches.
func BenchmarkWatched(b *testing.B) {
	for name, more := range map[string]string{"nobody": "", "admin": adminConfig} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
				b.Fatal(err)
			}
			file := filepath.Join(dir, "doorstep.toml")
			text := strings.Replace(plainConfig(more), "[store]", "[store]\ndurability = \"none\"", 1)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			c, problems, err := config.Load(file)
			if err != nil || config.HasErrors(problems) {
				b.Fatal(err, problems)
			}
			log := slog.New(slog.DiscardHandler)
			w := observe.New(c)
			agent, err := build.Agent(c, w, log)
			if err != nil {
				b.Fatal(err)
			}
			gate := &daemon.Admission{}
			gate.Set(c.Limits)
			server, err := build.Server(c, c.Listen[0], agent, w, log)
			if err != nil {
				b.Fatal(err)
			}
			client, end := net.Pipe()
			go server.ServeConn(end)
			defer client.Close()
			deliverMany(b, client)
		})
	}
}

// deliverMany delivers b.N messages over one session.
func deliverMany(b *testing.B, conn net.Conn) {
	in := bufio.NewReader(conn)
	say := func(text, last string) {
		if text != "" {
			if _, err := io.WriteString(conn, text); err != nil {
				b.Fatal(err)
			}
		}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if strings.HasPrefix(line, last) {
				return
			}
			if len(line) > 3 && line[3] == ' ' && !strings.HasPrefix(line, last[:3]) {
				b.Fatal(line)
			}
		}
	}
	say("", "220 ")
	say("LHLO x\r\n", "250 ")
	content := message("x") + strings.Repeat("A line of text like any other.\r\n", 100) + ".\r\n"
	b.ReportAllocs()
	for b.Loop() {
		say("MAIL FROM:<a@src.example>\r\n", "250 ")
		say("RCPT TO:<alice@example.org>\r\n", "250 ")
		say("DATA\r\n", "354 ")
		say(content, "250 ")
	}
}
