package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkHandOver is what it would cost to parse mail in one process and write it in another: a message of 8 KiB goes
// over a Unix socket, as octets or as the descriptor of a file that has it, and the other process answers when it has
// read it. Delivery itself is not in it. The processor time is that of both. docs/security.md has the figures.
func BenchmarkHandOver(b *testing.B) {
	message := bytes.Repeat([]byte("x"), 8<<10)
	b.Run("octets", func(b *testing.B) {
		handOver(b, func(to *net.UnixConn) error {
			head := binary.BigEndian.AppendUint32(nil, uint32(len(message)))
			_, err := (&net.Buffers{head, message}).WriteTo(to)
			return err
		})
	})
	b.Run("descriptor", func(b *testing.B) {
		handOver(b, func(to *net.UnixConn) error {
			fd, err := unix.MemfdCreate("message", unix.MFD_CLOEXEC)
			if err != nil {
				return err
			}
			_, err = unix.Write(fd, message)
			if err == nil {
				_, _, err = to.WriteMsgUnix(make([]byte, 4), unix.UnixRights(fd), nil) // no octets follow
			}
			return errors.Join(err, unix.Close(fd))
		})
	})
}

// handOver starts the other process, and waits for its answer to each message.
func handOver(b *testing.B, send func(to *net.UnixConn) error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	writer := exec.Command("/proc/self/exe", "-test.run", "^TestHandOver$")
	writer.Env, writer.ExtraFiles, writer.Stderr = append(os.Environ(), isWriter+"=1"), []*os.File{theirs}, os.Stderr
	if err := errors.Join(writer.Start(), theirs.Close()); err != nil {
		b.Fatal(err)
	}
	to, err := asConn(fds[0])
	if err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 1)
	before := ownTime(b)
	for b.Loop() {
		if err := send(to); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(to, answer); err != nil {
			b.Fatal(err)
		}
	}
	used := ownTime(b) - before
	if err := errors.Join(to.Close(), writer.Wait()); err != nil {
		b.Fatal(err)
	}
	used += (writer.ProcessState.UserTime() + writer.ProcessState.SystemTime()).Nanoseconds()
	b.ReportMetric(float64(used)/float64(b.N)/1000, "cpu-µs/op")
}

func ownTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func asConn(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "socket")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// isWriter is in the environment of the other process.
const isWriter = "DOORSTEP_BENCH_WRITER"

// TestHandOver is the other process, where the benchmark starts it.
func TestHandOver(t *testing.T) {
	if os.Getenv(isWriter) == "" {
		t.Skip("this is a part of BenchmarkHandOver")
	}
	from, err := asConn(3)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	head, message, rights := make([]byte, 4), make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	for {
		n, nr, _, _, err := from.ReadMsgUnix(head, rights)
		if n == 0 || errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			_, err = io.ReadFull(from, head[n:])
		}
		if err == nil {
			err = takeOver(from, rights[:nr], message[:binary.BigEndian.Uint32(head)])
		}
		if err == nil {
			_, err = from.Write([]byte{0})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// takeOver reads a message from the socket, or from the file that came with it.
func takeOver(from io.Reader, rights, message []byte) error {
	if len(rights) == 0 {
		_, err := io.ReadFull(from, message)
		return err
	}
	controls, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return err
	}
	fds, err := unix.ParseUnixRights(&controls[0])
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fds[0]), "message")
	_, err = file.Seek(0, io.SeekStart)
	if err == nil {
		_, err = io.Copy(io.Discard, file)
	}
	return errors.Join(err, file.Close())
}
