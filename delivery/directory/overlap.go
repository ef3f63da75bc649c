package directory

import (
	"context"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// overlapTimeout bounds the questions about one address.
const overlapTimeout = 30 * time.Second

// An Overlaps finds addresses that several directories of a chain have, of which only the first
// counts: the mail of a mailbox that was moved, and left behind in the old database, must not go
// astray unnoticed. It asks beside the deliveries, for one address at a time and for each once.
type Overlaps struct {
	chain *Chain
	found func(key Key, backends []string)
	known *lru.Cache[Key, struct{}]
	turn  chan struct{}
}

// NewOverlaps has found told of each address that more than one backend of c claims.
func NewOverlaps(c *Chain, found func(key Key, backends []string)) *Overlaps {
	known, err := lru.New[Key, struct{}](memoSize)
	if err != nil {
		panic(err) // only for a size of 0
	}
	return &Overlaps{chain: c, found: found, known: known, turn: make(chan struct{}, 1)}
}

// Look looks for other claims to an address that was found. It does not wait: while another
// address is being looked at, this one is left for its next message.
func (o *Overlaps) Look(key Key) {
	if o.known.Contains(key) {
		return
	}
	select {
	case o.turn <- struct{}{}:
	default:
		return
	}
	o.known.Add(key, struct{}{})
	go func() {
		defer func() { <-o.turn }()
		ctx, cancel := context.WithTimeout(context.Background(), overlapTimeout)
		defer cancel()
		if names := o.chain.Claims(ctx, key); len(names) > 1 {
			o.found(key, names)
		}
	}()
}
