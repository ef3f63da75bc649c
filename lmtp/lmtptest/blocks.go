package lmtptest

import "io"

// Blocks is what a connection brings, a block for each Read as far as there is room; then io.EOF.
type Blocks struct{ Left [][]byte }

// Read returns the next block, or what there is room for of it.
func (b *Blocks) Read(p []byte) (int, error) {
	if len(b.Left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.Left[0])
	if b.Left[0] = b.Left[0][n:]; len(b.Left[0]) == 0 {
		b.Left = b.Left[1:]
	}
	return n, nil
}

// Cut cuts p into blocks whose sizes are those of sizes, again and again, and at least one octet. Without sizes it is
// one block.
func Cut(p, sizes []byte) [][]byte {
	var blocks [][]byte
	for i := 0; len(p) > 0; i++ {
		n := len(p)
		if len(sizes) > 0 {
			n = max(min(int(sizes[i%len(sizes)]), n), 1)
		}
		blocks = append(blocks, p[:n])
		p = p[n:]
	}
	return blocks
}
