// Command bench measures Doorstep beside what it is to be compared with, on one disk and in
// one run: Dovecot's LMTP server, a server made of go-smtp and go-maildir, and the floor, a bare
// loop that makes the same promise without a protocol. The load is Postfix's smtp-source.
//
// The rounds of the contenders are interleaved, so that whatever else the machine does meets
// all of them alike, and what counts is the median of the rounds. It writes the figures as JSON,
// as a table and as a chart:
//
//	go run ./cmd/internal/bench            all cases, into docs/performance
//	go run ./cmd/internal/bench -quick     the main cases in a few minutes, into .cache/bench/results
//	go run ./cmd/internal/bench -h         what else there is
package main
