package status

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/columns"
)

// Print shows a snapshot in a terminal of that many columns.
func (s *Snapshot) Print(w io.Writer, width int) error {
	b := &strings.Builder{}
	s.printHead(b)
	s.printCharts(b, max(min(width-24, 100), 20))
	s.printTables(b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Snapshot) printHead(b *strings.Builder) {
	state := "ready"
	if !s.Ready {
		state = "NOT READY"
	}
	fmt.Fprintf(b, "doorstep %s on %s: %s, up for %s, process %d\n", s.Version, s.Hostname, state,
		Long(s.Now.Sub(s.Began)), s.PID)
	for _, p := range s.Problems {
		fmt.Fprintf(b, "  %s\n", p)
	}
	if s.Panics > 0 {
		fmt.Fprintf(b, "  %s\n", s.PanicNotice())
	}
	if s.Reload.Error != "" {
		fmt.Fprintf(b, "  the configuration was not reloaded, the old one is in force: %s\n", s.Reload.Error)
	}
	if s.Disk != nil {
		fmt.Fprintf(b, "store      %s free of %s below %s\n", Size(s.Disk.Free), Size(s.Disk.Size), s.Disk.Path)
	}
	if s.Outbox != nil {
		reports := "reports of success are offered"
		if !s.Outbox.Offered {
			reports = "reports of success are NOT OFFERED: " + s.Outbox.Why
		}
		fmt.Fprintf(b, "outbox     %s; %s\n", s.Outbox.Waiting(s.Now), reports)
	}
	if s.State != nil {
		kept := "kept"
		if !s.State.Keeps {
			kept = "not kept: " + s.State.Why
		}
		fmt.Fprintf(b, "state      %s; %s\n", s.State.Kept(), kept)
	}
	fmt.Fprintf(b, "now        %d sessions, %d copies on their way, %s delivered a second\n", s.Sessions, s.InFlight,
		Rate(s))
	fmt.Fprintf(b, "last hour  %s\n", s.Hour)
	fmt.Fprintf(b, "           median %s, 99 %% within %s\n", Took(s.P50), Took(s.P99))
	fmt.Fprintf(b, "in all     %s\n", s.Total)
}

// PanicNotice says that there were panics, "" without any.
func (s *Snapshot) PanicNotice() string {
	switch s.Panics {
	case 0:
		return ""
	case 1:
		return "1 panic since the start: a bug of doorstep, please report its stack from the log"
	}
	return fmt.Sprintf("%d panics since the start: a bug of doorstep, please report their stacks from the log", s.Panics)
}

// String returns the counts in words.
func (c Counts) String() string {
	return fmt.Sprintf("%d delivered (%s), %d deferred, %d refused", c.Delivered, Size(c.Octets), c.Deferred, c.Refused)
}

func (s *Snapshot) printCharts(b *strings.Builder, width int) {
	b.WriteString("\n")
	for _, c := range []struct {
		name  string
		value func(Point) float64
		show  func(float64) string
	}{
		{"delivered", func(p Point) float64 { return float64(p.Delivered) / s.Interval.Seconds() },
			func(v float64) string { return fmt.Sprintf("%.3g/s", v) }},
		{"99 %", func(p Point) float64 { return p.P99.Seconds() },
			func(v float64) string { return Took(time.Duration(v * float64(time.Second))) }},
		{"deferred", func(p Point) float64 { return float64(p.Deferred) },
			func(v float64) string { return fmt.Sprintf("%.0f", v) }},
		{"refused", func(p Point) float64 { return float64(p.Refused) },
			func(v float64) string { return fmt.Sprintf("%.0f", v) }},
	} {
		drawn, top := sparkline(s.Points, width, c.value)
		fmt.Fprintf(b, "%-10s %s %s\n", c.name, drawn, c.show(top))
	}
}

// sparkline draws the values as a row of blocks; each stands for the greatest of some points.
func sparkline(points []Point, width int, value func(Point) float64) (drawn string, top float64) {
	if len(points) == 0 {
		return strings.Repeat(" ", width), 0
	}
	width = min(width, len(points))
	values := make([]float64, width)
	for i, p := range points {
		at := i * width / len(points)
		values[at] = max(values[at], value(p))
		top = max(top, values[at])
	}
	blocks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range values {
		if v == 0 {
			b.WriteByte('.')
			continue
		}
		b.WriteRune(blocks[min(int(v/top*float64(len(blocks))), len(blocks)-1)])
	}
	return b.String(), top
}

func (s *Snapshot) printTables(b *strings.Builder) {
	table := func(head string, rows func(w io.Writer)) {
		b.WriteString("\n" + head + "\n")
		w := columns.New(b)
		rows(w)
		_ = w.Flush() // into memory
	}
	if len(s.Slowest) > 0 {
		table("slowest mailboxes", func(w io.Writer) {
			for _, m := range s.Slowest {
				fmt.Fprintf(w, "  %s\t%s\tat %s\tmean %s of %d\n", m.Mailbox, Took(m.Worst), m.At.Format(time.TimeOnly),
					Took(m.Mean), m.Deliveries)
			}
		})
	}
	table("directories", func(w io.Writer) {
		for _, d := range s.Directories {
			state := "answers"
			if !d.OK {
				state = "FAILS: " + d.LastError
			}
			fmt.Fprintf(w, "  %s\t%d lookups\t%d errors\tmean %s\t%s\n", d.Backend, d.Lookups, d.Errors, Took(d.Mean), state)
		}
	})
	if len(s.Failures) > 0 {
		table("recent failures", func(w io.Writer) {
			for _, f := range s.Failures[:min(len(s.Failures), 15)] {
				fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", f.At.Format(time.TimeOnly), f.Reply, f.Rule, f.To, f.Reason)
			}
		})
	}
}

// Took writes a time as people say it: "3.2 ms".
func Took(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// Long writes a long time: "3 days 4 h".
func Long(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// Size writes a number of octets: "1.2 GiB".
func Size[N int64 | uint64](octets N) string {
	v := float64(octets)
	for _, unit := range []string{"octets", "KiB", "MiB", "GiB"} {
		if v < 1024 {
			return fmt.Sprintf("%.4g %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g TiB", v)
}

// Rate writes how many recipients a second were delivered to in the last minute.
func Rate(s *Snapshot) string { return fmt.Sprintf("%.3g", s.Rate(6)) }
