package mailbox

import "sync"

// Content waits in memory up to largeBuffer octets; most mail fits the small one. Content
// beyond that goes to the disk, so what a message holds is bounded whatever its size.
const (
	smallBuffer = 16 << 10
	largeBuffer = 128 << 10
)

// buffers lends memory to messages. Octets of one message are never shown to another: a
// buffer is read only as far as it was written.
type buffers struct{ small, large sync.Pool }

func (b *buffers) getSmall() []byte {
	if p, ok := b.small.Get().(*[smallBuffer]byte); ok {
		return p[:0]
	}
	return new([smallBuffer]byte)[:0]
}

func (b *buffers) getLarge() []byte {
	if p, ok := b.large.Get().(*[largeBuffer]byte); ok {
		return p[:0]
	}
	return new([largeBuffer]byte)[:0]
}

// put takes back a buffer that was lent, or nil.
func (b *buffers) put(p []byte) {
	switch cap(p) {
	case smallBuffer:
		b.small.Put((*[smallBuffer]byte)(p[:smallBuffer]))
	case largeBuffer:
		b.large.Put((*[largeBuffer]byte)(p[:largeBuffer]))
	}
}
