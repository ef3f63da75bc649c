package overload

import (
	"context"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestMemoryRunsOut: more messages come at once than there is memory for. No further ones are begun, the server stays
// within its limit, all that were begun are delivered, and then it takes mail as before.
func TestMemoryRunsOut(t *testing.T) {
	const memory = 64 << 20
	s := start(t, "connections = 2000\nconnections_per_peer = 0\nmin_data_rate = 0", memory)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	peak := s.watch()
	c, end := &crowd{server: s.address, peers: 100}, make(chan struct{})
	early, err := c.dial(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.slow(ctx, 1000, trickle{first: 120_000, every: time.Hour, end: end})
	begun := c.begun.Load()
	if turned := c.refused.Load() + c.ended.Load(); turned == 0 || begun+turned != c.offered.Load()-1 || begun < 100 {
		t.Errorf("%d offered, %d begun, %d refused, %d ended", c.offered.Load(), begun, c.refused.Load(), c.ended.Load())
	}
	const mail = "MAIL FROM:<>\r\n"
	if err := early.say("LHLO early.example\r\n"+mail, "250", "452 4.3.1"); err != nil {
		t.Errorf("a session that was there before: %v", err)
	}
	if late, err := c.dial(ctx, 1); late != nil || err != nil {
		t.Errorf("a connection is taken when memory is out, or refused without a reply: %v", err)
	}
	close(end)
	c.running.Wait()
	if c.delivered.Load() != begun {
		t.Errorf("%d messages were begun, and %d delivered", begun, c.delivered.Load())
	}
	most := peak()
	if most.memory > memory {
		t.Errorf("%d octets of memory, of %d", most.memory, memory)
	}
	// The garbage collector has to look again.
	peer.Await(t, 20*time.Second, "a message to be taken", func() bool { return early.say(mail, "250") == nil })
	peer.Await(t, 20*time.Second, "a connection to be taken", func() bool {
		late, err := c.dial(ctx, 1)
		return late != nil && err == nil
	})
	t.Logf("%d begun and delivered, %d connections refused, %d messages refused, %d of %d MiB of memory", begun,
		c.refused.Load(), c.ended.Load(), most.memory>>20, memory>>20)
}
