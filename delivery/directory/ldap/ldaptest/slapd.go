// Package ldaptest runs OpenLDAP's slapd for tests: with a database of its own in a temporary
// directory, on loopback and a Unix socket.
package ldaptest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// Base is the entry below which all is, BindDN and Password are who may read it.
	Base     = "o=domains,dc=mail"
	BindDN   = "cn=doorstep,dc=mail"
	Password = "open sesame"
)

// A Server is a slapd.
type Server struct {
	// URL and Socket are where it listens; TLSURL where it does with TLS from the first octet.
	URL, Socket, TLSURL string
	// CA is a file with the certificate that vouches for the server as "localhost".
	CA string

	tb     testing.TB
	dir    string
	adds   string // slapadd
	cmd    *exec.Cmd
	exited chan struct{}
	log    *os.File
}

// Start fills a database with entries in LDIF, and starts a server. Without slapd the test is
// skipped, or fails when CI=true.
func Start(tb testing.TB, ldif string) *Server {
	tb.Helper()
	programs := map[string]string{}
	for _, name := range []string{"slapd", "slapadd"} {
		path, err := exec.LookPath("/usr/sbin/" + name)
		if err != nil {
			if os.Getenv("CI") == "true" {
				tb.Fatalf("needs slapd (Debian package slapd): %v", err)
			}
			tb.Skipf("needs slapd (Debian package slapd): %v", err)
		}
		programs[name] = path
	}
	dir, err := os.MkdirTemp("", "doorstep-slapd-") // Unix sockets have room for 107 octets
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, dir: dir, adds: programs["slapadd"], CA: filepath.Join(dir, "ca.pem")}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			tb.Logf("slapd: %s", log[max(0, len(log)-4000):])
		}
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	s.Socket = "ldapi://" + filepath.Join(dir, "socket")
	free := freeAddresses(tb, 2)
	s.URL, s.TLSURL = "ldap://"+free[0], "ldaps://"+free[1]
	writeCertificates(tb, dir)
	s.write("schema", schema)
	s.write("slapd.conf", strings.ReplaceAll(configuration, "DIR", dir))
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		tb.Fatal(err)
	}
	s.Add(root + ldif)
	s.Resume()
	return s
}

// Add adds entries in LDIF, while the server is stopped.
func (s *Server) Add(ldif string) {
	s.tb.Helper()
	s.write("entries.ldif", ldif)
	if out, err := exec.Command(s.adds, "-q", "-f", s.path("slapd.conf"), "-l",
		s.path("entries.ldif")).CombinedOutput(); err != nil {
		s.tb.Fatalf("slapadd: %v\n%s", err, out)
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) write(name, text string) {
	s.tb.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// Resume starts the server again where it was, and waits until it takes connections.
func (s *Server) Resume() {
	s.tb.Helper()
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.tb.Fatal(err)
	}
	urls := strings.Join([]string{"ldapi://" + strings.ReplaceAll(s.path("socket"), "/", "%2F"), s.URL, s.TLSURL}, " ")
	s.cmd = exec.Command("/usr/sbin/slapd", "-d", "none", "-f", s.path("slapd.conf"), "-h", urls)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	s.exited, s.log = make(chan struct{}), log
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // it is killed
		close(exited)
	}(s.cmd, s.exited)
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "ldap://"))
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-s.exited:
			text, _ := os.ReadFile(s.path("log"))
			s.tb.Fatalf("slapd has ended:\n%s", text)
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline) {
				s.tb.Fatalf("slapd does not listen: %v", err)
			}
		}
	}
}

// Stop kills the server.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.signal(syscall.SIGKILL)
	<-s.exited
	if err := s.log.Close(); err != nil {
		s.tb.Error(err)
	}
	s.cmd = nil
}

// Freeze stops the server in the midst of what it does, until Thaw: it neither answers nor goes.
func (s *Server) Freeze() {
	s.signal(syscall.SIGSTOP)
	for !s.isFrozen() {
		select {
		case <-s.exited:
			s.tb.Fatal("slapd has ended")
		case <-time.After(time.Millisecond):
		}
	}
}

// isFrozen reports whether all threads have stopped (proc_pid_stat(5)).
func (s *Server) isFrozen() bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	if err != nil {
		s.tb.Fatal(err)
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return len(files) > 0
}

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Error(err)
	}
}

// freeAddresses are n loopback addresses without a listener.
func freeAddresses(tb testing.TB, n int) []string {
	tb.Helper()
	var free []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		free = append(free, fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port))
	}
	return free
}
