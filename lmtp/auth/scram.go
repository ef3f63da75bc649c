package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"

	"github.com/xdg-go/scram"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// offersScram: with a file that has no such entries every attempt would fail, and clients
// choose it before PLAIN.
func (a *Authenticator) offersScram(*lmtp.Session) bool { return a.users.get().hasScram }

// offersPlus: the proof is bound to the TLS connection, which a man in the middle does not have.
func (a *Authenticator) offersPlus(s *lmtp.Session) bool { return s.TLS != nil && a.offersScram(s) }

func beginScram(_ context.Context, a *Authenticator, s *lmtp.Session) *exchange {
	return newScram(a, s, false)
}

func beginScramPlus(_ context.Context, a *Authenticator, s *lmtp.Session) *exchange {
	return newScram(a, s, true)
}

func newScram(a *Authenticator, s *lmtp.Session, plus bool) *exchange {
	x := &exchange{}
	x.server = &scramServer{exchange: x, auth: a, session: s, plus: plus}
	return x
}

// A scramServer is the server's side of SCRAM-SHA-256 (RFC 5802 §3): the client's first message,
// its final message with the proof, and its empty answer to ours.
type scramServer struct {
	exchange *exchange
	auth     *Authenticator
	session  *lmtp.Session
	plus     bool

	conversation *scram.ServerConversation
	proved       bool
}

func (x *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte{}, false, nil // the client speaks first
	case x.proved && len(response) > 0:
		return nil, false, errors.New("scram: a response after the last")
	case x.proved:
		return nil, true, nil
	case x.auth.users.get().gone != nil:
		return nil, false, gone(x.auth.users.get().gone)
	case x.conversation == nil:
		if err := x.begin(string(response)); err != nil {
			return nil, false, wrong(err.Error())
		}
	}
	message, err := x.conversation.Step(string(response))
	if err != nil {
		// Which step failed, and why, is for the log: RFC 5802 has words for it, but each of
		// them helps to guess names.
		return nil, false, wrong(err.Error())
	}
	if x.conversation.Done() {
		if err := x.finish(); err != nil {
			return nil, false, err
		}
	}
	return []byte(message), false, nil
}

// begin makes the conversation, with the channel binding that the client's first message asks for.
//
//	gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
func (x *scramServer) begin(first string) error {
	flag, _, _ := strings.Cut(first, ",")
	wanted, binds := strings.CutPrefix(flag, "p=")
	if binds != x.plus {
		return errors.New("scram: channel binding where the mechanism has none, or none where it has one")
	}
	server, err := scram.SHA256.NewServer(func(name string) (scram.StoredCredentials, error) {
		return x.auth.users.get().scramCredentials(name), nil
	})
	if err != nil {
		return err
	}
	binding := scram.ChannelBinding{}
	switch {
	case binds:
		binding, err = channelBinding(x.session, scram.ChannelBindingType(wanted))
	case x.auth.offersPlus(x.session) && slices.Contains(x.auth.enabled, ScramPlus):
		// A client that could bind, and was offered no binding, talks through a man in the middle
		// (RFC 5802 §6); the conversation finds that out when it knows that there is a binding.
		binding, err = channelBinding(x.session, scram.ChannelBindingTLSExporter)
	}
	if err != nil {
		return err
	}
	x.conversation = server.NewConversationWithChannelBinding(binding)
	if x.plus {
		x.conversation = server.NewConversationWithChannelBindingRequired(binding)
	}
	return nil
}

// finish is when the proof was right.
func (x *scramServer) finish() error {
	name, err := prepareName(x.conversation.Username())
	if err != nil || !x.conversation.Valid() {
		return wrong("scram: not proved")
	}
	if !sameName(x.conversation.AuthzID(), name) {
		return wrong(name + " wants to act for another")
	}
	x.proved = true
	x.exchange.identity = name
	return nil
}

// channelBinding returns what is unique to this TLS connection, or to our end of it.
func channelBinding(s *lmtp.Session, kind scram.ChannelBindingType) (scram.ChannelBinding, error) {
	switch kind {
	case scram.ChannelBindingTLSExporter: // RFC 9266
		return scram.NewTLSExporterBinding(s.TLS)
	case scram.ChannelBindingTLSServerEndpoint: // RFC 5929 §4
		certificate, err := x509.ParseCertificate(s.Certificate)
		if err != nil {
			return scram.ChannelBinding{}, err
		}
		// As the client sees it: our certificate is its peer's.
		return scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate}})
	}
	return scram.ChannelBinding{}, errors.New("scram: channel binding is not known")
}
