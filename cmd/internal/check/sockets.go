package check

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
)

// socketQuestions ask whether the sockets of a configuration are free, or whose they are.
func socketQuestions(c *config.Config, unit string) (list []*question) {
	var first []config.Listen
	add := func(key string, l config.Listen) {
		if l.Network == "" {
			return
		}
		before := slices.Clone(first)
		first = append(first, l)
		list = append(list, &question{Answer: Answer{Key: key, Name: l.Network + ":" + l.Address},
			ask: func(ctx context.Context, q *question) {
				switch {
				case l.Network == "systemd" && unit == "":
					q.blame(c, key, "only systemd passes such a socket, and it has no unit that starts this configuration",
						"start it by systemctl start doorstep, and not by hand").Warning = true
				case l.Network == "systemd":
					q.Text = "systemd passes it"
				case slices.ContainsFunc(before, func(b config.Listen) bool { return samePlace(ctx, b, l) }):
					q.blame(c, key, "a listener before this one has the same address, written in another way", "take one away")
				default:
					askSocket(ctx, c, l, q)
				}
			}})
	}
	for i, l := range c.Listen {
		add(fmt.Sprintf("listen[%d].address", i), l)
	}
	add("admin.address", c.Admin.Socket)
	return list
}

// samePlace reports whether two listeners have one address.
func samePlace(ctx context.Context, a, b config.Listen) bool {
	if a.Network != b.Network {
		return false
	}
	if a.Network == "unix" {
		return resolvedPath(a.Address) == resolvedPath(b.Address)
	}
	at, errA := resolve(ctx, a.Address)
	bt, errB := resolve(ctx, b.Address)
	if errA != nil || errB != nil || at.Port() != bt.Port() || at.Port() == 0 {
		return false
	}
	return at == bt || at.Addr().IsUnspecified() || bt.Addr().IsUnspecified()
}

// resolvedPath is the path of a socket without symbolic links.
func resolvedPath(path string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(dir, filepath.Base(path))
}

// askSocket asks who listens at an address: no program, the server with this configuration, or another, beside which
// that could not start.
func askSocket(ctx context.Context, c *config.Config, l config.Listen, q *question) {
	var holders []int
	var err error
	if l.Network == "unix" {
		holders, err = unixHolders(ctx, l.Address)
	} else {
		holders, err = tcpHolders(ctx, l.Address)
	}
	own, _ := unixHolders(ctx, c.Control.Socket)
	isOwn := func(pid int) bool { return pid == 1 || slices.Contains(own, pid) }
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && len(holders) == 0:
		q.blame(c, q.Key, "a server is running there", "only root sees which: do it as root").Warning = true
	case errors.Is(err, syscall.EADDRINUSE) && slices.ContainsFunc(holders, isOwn):
		q.Text = "the running server listens: " + describe(holders)
	case errors.Is(err, syscall.EADDRINUSE):
		q.blame(c, q.Key, "another server is running there: "+describe(holders), "stop it first, or choose another address")
	case errors.Is(err, syscall.EACCES) && l.Network == "tcp":
		q.blame(c, q.Key, err.Error(), "ports below 1024 need root or CAP_NET_BIND_SERVICE; a Unix socket needs neither")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		q.blame(c, q.Key, err.Error(), "ip addr lists the addresses of this machine")
	case err != nil:
		q.blame(c, q.Key, err.Error(), "write the address itself; getent hosts NAME asks for it")
	default:
		q.Text = "free"
	}
}

// unixHolders returns the processes that have the socket at a path, and EADDRINUSE where one listens. It connects only
// where the kernel's list does not have it: another network namespace may.
func unixHolders(ctx context.Context, path string) ([]int, error) {
	if _, err := os.Lstat(path); path == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if inodes := inodesOf("unix", func(field []string) string {
		if len(field) >= 8 && field[3] == "00010000" && strings.Join(field[7:], " ") == path { // __SO_ACCEPTCON
			return field[6]
		}
		return ""
	}); len(inodes) > 0 {
		return holdersOf(inodes), syscall.EADDRINUSE
	}
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // left by an earlier server; or out of reach, of which CheckSystem tells
	}
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	cred, err := build.Peer(conn)
	if err != nil {
		return nil, syscall.EADDRINUSE
	}
	return []int{int(cred.Pid)}, syscall.EADDRINUSE
}

// tcpHolders binds to an address as the server does, without listening, and returns the processes that have it where
// that cannot be.
func tcpHolders(ctx context.Context, address string) ([]int, error) {
	at, err := resolve(ctx, address)
	if err != nil {
		return nil, err
	}
	err = bind(at)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, err
	}
	listens := func(field []string) string {
		if len(field) >= 10 && field[3] == "0A" && covers(field[1], at) { // TCP_LISTEN
			return field[9]
		}
		return ""
	}
	return holdersOf(append(inodesOf("tcp", listens), inodesOf("tcp6", listens)...)), err
}

// resolve finds the address that a listener has.
func resolve(ctx context.Context, address string) (at netip.AddrPort, err error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return at, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return at, err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return at, err
	}
	i := max(slices.IndexFunc(found, func(ip netip.Addr) bool { return ip.Unmap().Is4() }), 0) // as net.Listen
	return netip.AddrPortFrom(found[i].Unmap(), uint16(port)), nil
}

// bind binds a socket, and closes it.
func bind(at netip.AddrPort) error {
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, to); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// covers reports whether a socket at an address, in the kernel's hexadecimal words, may keep another from at.
func covers(hexadecimal string, at netip.AddrPort) bool {
	address, port, _ := strings.Cut(hexadecimal, ":")
	words, err := hex.DecodeString(address)
	if err != nil || port != fmt.Sprintf("%04X", at.Port()) {
		return false
	}
	for word := range slices.Chunk(words, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	ip, ok := netip.AddrFromSlice(words)
	return ok && (ip.IsUnspecified() || at.Addr().IsUnspecified() || ip.Unmap() == at.Addr())
}

// inodesOf reads one of the kernel's lists of sockets (proc_net(5)). pick returns the inode of a line that is meant.
func inodesOf(list string, pick func(fields []string) string) (inodes []string) {
	text, err := os.ReadFile("/proc/self/net/" + list)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if inode := pick(strings.Fields(line)); inode != "" {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// holdersOf returns the processes that have one of these sockets open, as far as the present user may see them.
func holdersOf(inodes []string) (pids []int) {
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return nil
	}
	for _, at := range descriptors {
		link, err := os.Readlink(at)
		inode, isSocket := strings.CutPrefix(strings.TrimSuffix(link, "]"), "socket:[")
		if err != nil || !isSocket || !slices.Contains(inodes, inode) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(at, "/")[2]) // digits
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// describe says what is known of processes: "doorstep, process 812, user doorstep".
func describe(pids []int) string {
	var parts []string
	for _, pid := range pids {
		text := fmt.Sprintf("process %d", pid)
		if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
			text = strings.TrimSpace(string(name)) + ", " + text
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // whose /proc/PID is root's if it is not dumpable
		if _, after, ok := strings.Cut(string(status), "\nUid:\t"); ok {
			uid, _, _ := strings.Cut(after, "\t")
			if u, err := user.LookupId(uid); err == nil {
				uid = u.Username
			}
			text += ", user " + uid
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
