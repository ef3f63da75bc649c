package overload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"

	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// memoryLimit is GOMEMLIMIT of the server, as in the unit of the package.
const memoryLimit = 1536 << 20

// users is how many mailboxes the healthy clients write to.
const users = 20

// program is doorstep as it is released: static, and without the race detector, which has a memory of its own.
var program string

func TestMain(m *testing.M) { os.Exit(withProgram(m.Run)) }

func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "doorstep-overload-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "doorstep")
	build := exec.Command("go", "build", "-o", program, "github.com/doorstep-mail/doorstep/cmd/doorstep")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return run()
}

// A server is the program under load.
type server struct {
	*testing.T
	address string
	process *peer.Process
	proc    procfs.Proc
}

// start runs the program, with lines of [limits] and so many octets of memory.
func start(t *testing.T, limits string, memory int) *server {
	t.Helper()
	dir := peer.Dir(t)
	s := &server{T: t, address: "127.0.0.1:" + peer.FreePort(t)}
	var c strings.Builder
	fmt.Fprintf(&c, "hostname = \"mail.example.org\"\n[log]\nlevel = \"error\"\n[sandbox]\nenabled = false\n")
	fmt.Fprintf(&c, "[[listen]]\naddress = %q\n[limits]\n%s\n[[domain]]\nname = \"example.org\"\n", "tcp:"+s.address,
		limits)
	for n := range users {
		fmt.Fprintf(&c, "[[user]]\naddress = \"u%d@example.org\"\n", n)
	}
	fmt.Fprintf(&c, "[store]\npath = %q\n", filepath.Join(dir, "mail", "{local}"))
	config := filepath.Join(dir, "doorstep.toml")
	if err := os.WriteFile(config, []byte(c.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "-c", config)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+strconv.Itoa(memory))
	s.process = peer.Start(t, cmd)
	peer.AwaitListener(t, s.process, "tcp", s.address)
	var err error
	if s.proc, err = procfs.NewProc(s.process.Pid()); err != nil {
		t.Fatal(err)
	}
	return s
}

// send has healthy clients send so many messages, over connections that each take ten, and returns what they saw.
func (s *server) send(messages int) (r loadtest.Report) {
	s.Helper()
	args := []string{
		"send", "--json", "--server", "tcp:" + s.address, "--from", "sender@client.example", "--spread",
		"--count", strconv.Itoa(messages), "--sessions", "4", "--per-connection", "10",
	}
	for n := range users {
		args = append(args, "--to", fmt.Sprintf("u%d@example.org", n))
	}
	cmd := exec.CommandContext(s.Context(), program, append(args, "-")...)
	cmd.Stdin = strings.NewReader("Subject: healthy\r\n\r\n" + strings.Repeat(strings.Repeat("x", 78)+"\r\n", 50))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if jsonErr := json.Unmarshal(out, &r); jsonErr != nil { // a report of failures comes with an exit status
		s.Fatalf("send: %v, %v: %s%s", err, jsonErr, out, complaints.String())
	}
	return r
}

// A use is the most that a server took of the machine.
type use struct {
	memory      int // octets that are not of files
	descriptors int
	threads     int
}

// watch looks at the server now and then, until it is asked.
func (s *server) watch() (peak func() use) {
	stop := make(chan struct{})
	var most use
	var watching sync.WaitGroup
	watching.Go(func() {
		for every := time.NewTicker(200 * time.Millisecond); ; {
			if status, err := s.proc.NewStatus(); err == nil {
				most.memory = max(most.memory, int(status.RssAnon))
			}
			if n, err := s.proc.FileDescriptorsLen(); err == nil {
				most.descriptors = max(most.descriptors, n)
			}
			if stat, err := s.proc.Stat(); err == nil {
				most.threads = max(most.threads, stat.NumThreads)
			}
			select {
			case <-every.C:
			case <-stop:
				every.Stop()
				return
			}
		}
	})
	return func() use {
		close(stop)
		watching.Wait()
		return most
	}
}

// descriptors is how many the server may have.
func (s *server) descriptors() int {
	limits, err := s.proc.Limits()
	if err != nil {
		s.Fatal(err)
	}
	return int(limits.OpenFiles)
}
