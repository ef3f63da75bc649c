package powercut

import (
	"bytes"
	"syscall"
	"testing"
)

func block(c byte) []byte { return bytes.Repeat([]byte{c}, unitSize) }

func at(t *testing.T, d *Disk, n int64) byte {
	t.Helper()
	p := make([]byte, unitSize)
	if errno := d.ReadAt(p, n*unitSize); errno != 0 {
		t.Fatal(errno)
	}
	if !bytes.Equal(p, block(p[0])) {
		t.Fatalf("unit %d is torn", n)
	}
	return p[0]
}

func put(t *testing.T, d *Disk, n int64, c byte) {
	t.Helper()
	if errno := d.WriteAt(block(c), n*unitSize); errno != 0 {
		t.Fatal(errno)
	}
}

func TestCutLosesTheCache(t *testing.T) {
	d := NewDisk(1 << 20)
	put(t, d, 1, 'a')
	put(t, d, 2, 'a')
	if errno := d.Flush(); errno != 0 {
		t.Fatal(errno)
	}
	put(t, d, 2, 'b')
	put(t, d, 3, 'b')
	if got := at(t, d, 2); got != 'b' {
		t.Errorf("before the cut: %q", got)
	}
	d.Cut()
	if d.ReadAt(make([]byte, 1), 0) != syscall.EIO || d.WriteAt([]byte{1}, 0) != syscall.EIO || d.Flush() != syscall.EIO {
		t.Error("a disk without power works")
	}
	s := d.Survivor()
	if got := []byte{at(t, s, 0), at(t, s, 1), at(t, s, 2), at(t, s, 3)}; string(got) != "\x00aa\x00" {
		t.Errorf("after the cut: %q", got)
	}
	put(t, s, 1, 'c')
	if d.durable[1][0] != 'a' {
		t.Error("the survivor writes to the dead")
	}
}

// The same seed keeps the same part of the cache; a part, not all and not nothing.
func TestCutKeepsAPart(t *testing.T) {
	const units = 200
	run := func(seed uint64) (kept string) {
		d := NewDisk(1 << 20)
		d.CutIn(units+1, 0.5, seed)
		for n := range int64(units) {
			put(t, d, n, 'x')
		}
		if d.Flush() != syscall.EIO {
			t.Fatal("the flush came before the cut")
		}
		s := d.Survivor()
		for n := range int64(units) {
			kept += string(at(t, s, n))
		}
		return kept
	}
	first := run(1)
	if n := bytes.Count([]byte(first), []byte("x")); n < units/4 || n > 3*units/4 {
		t.Errorf("%d of %d units are kept", n, units)
	}
	if run(1) != first || run(2) == first {
		t.Error("the seed does not tell what is kept")
	}
}

func TestRefuse(t *testing.T) {
	d := NewDisk(1 << 20)
	d.Refuse(func(p []byte) bool { return p[0] == 'x' })
	if errno := d.WriteAt(block('x'), 0); errno != syscall.EIO {
		t.Errorf("write: %v", errno)
	}
	put(t, d, 1, 'y')
	if n := d.Refuse(nil); n != 1 {
		t.Errorf("%d refused", n)
	}
	put(t, d, 0, 'x')
	if errno := d.Flush(); errno != 0 || at(t, d, 0) != 'x' || at(t, d, 1) != 'y' {
		t.Error("the disk does not work any more")
	}
}

// Writes that straddle units change no octet beside.
func TestUnaligned(t *testing.T) {
	d := NewDisk(1 << 20)
	model := make([]byte, 4*unitSize)
	for i, w := range []struct{ off, n int }{{10, 20}, {unitSize - 1, 2}, {100, 2*unitSize + 5},
		{3*unitSize + 7, unitSize - 7}} {
		p := bytes.Repeat([]byte{byte('a' + i)}, w.n)
		copy(model[w.off:], p)
		if errno := d.WriteAt(p, int64(w.off)); errno != 0 {
			t.Fatal(errno)
		}
		if i == 1 {
			d.Flush()
		}
	}
	got := make([]byte, len(model)-3)
	if errno := d.ReadAt(got, 3); errno != 0 || !bytes.Equal(got, model[3:]) {
		t.Error("what is read is not what was written")
	}
}
