package wire

import (
	"fmt"
	"strings"
)

// MaxToken is the greatest length of a name or an ID, in bytes.
const MaxToken = 64

// Subjects are the subjects of one mesh as one member uses them. The receiver,
// where there is one, is the last token but one; the sender is the last. It is
// made by NewSubjects, immutable, and safe for concurrent use.
//
// A method that takes the name of another member or of a cache takes it as a
// valid token (see ValidToken): those of decoded messages are.
type Subjects struct {
	// Each holds all of its subjects up to the name that varies.
	all, to, ask, ans, get, invalidate string
	// self is the dot and the member's ID: the end of what it publishes.
	self string
}

// NewSubjects returns the subjects of the member id of the mesh. It returns an
// error that wraps ErrToken when either is not a valid token.
func NewSubjects(mesh, id string) (Subjects, error) {
	if !ValidToken(mesh) {
		return Subjects{}, fmt.Errorf("%w: mesh name %.80q: %s", ErrToken, mesh, tokenRule)
	}
	if !ValidToken(id) {
		return Subjects{}, fmt.Errorf("%w: member ID %.80q: %s", ErrToken, id, tokenRule)
	}
	root := "mesh." + mesh + "."
	return Subjects{
		all:        root + "all.",
		to:         root + "to.",
		ask:        root + "ask.",
		ans:        root + "ans.",
		get:        root + "get.",
		invalidate: root + "invalidate.",
		self:       "." + id,
	}, nil
}

// Needs reports whether text names, in quotes, a subject that members use among themselves.
func (s Subjects) Needs(text string) bool {
	for _, prefix := range []string{s.all, s.to, s.ask, s.ans} {
		if strings.Contains(text, `"`+prefix) {
			return true
		}
	}
	return false
}

// All is what this member publishes to everybody on.
func (s Subjects) All() string { return s.all + s.self[1:] }

// AllOf is what this member subscribes to for what is meant for everybody.
func (s Subjects) AllOf() string { return s.all + "*" }

// To is what this member publishes a control message to one receiver on.
func (s Subjects) To(receiver string) string { return s.to + receiver + s.self }

// ToMe is what this member subscribes to for control messages to it alone.
func (s Subjects) ToMe() string { return s.to + s.self[1:] + ".*" }

// Ask is what this member publishes its questions to receiver on.
func (s Subjects) Ask(receiver string) string { return s.ask + receiver + s.self }

// AskMe is what this member subscribes to for others' questions.
func (s Subjects) AskMe() string { return s.ask + s.self[1:] + ".*" }

// Answer is what this member publishes answers to asker on.
func (s Subjects) Answer(asker string) string { return s.ans + asker + s.self }

// AnswerMe is what this member subscribes to for answers.
func (s Subjects) AnswerMe() string { return s.ans + s.self[1:] + ".*" }

// ReplyFrom is the reply subject of an Ask to receiver. It is the subject that
// receiver answers on in any case; set as the reply subject, it makes the
// server's "no responders" arrive there too and name who was asked.
func (s Subjects) ReplyFrom(receiver string) string { return s.ans + s.self[1:] + "." + receiver }

// Get is where any NATS client asks for a key of the cache.
func (s Subjects) Get(cache string) string { return s.get + cache }

// Invalidate is where any NATS client invalidates a key of the cache.
func (s Subjects) Invalidate(cache string) string { return s.invalidate + cache }

// Sender returns the last token of a subject: the ID of who published on it.
// It reports false when that is not a valid ID.
func Sender(subject string) (string, bool) {
	dot := strings.LastIndexByte(subject, '.')
	if dot < 0 || !ValidToken(subject[dot+1:]) {
		return "", false
	}
	return subject[dot+1:], true
}

const tokenRule = "must be 1 to 64 letters of A-Z, a-z, 0-9, _ and -"

// ValidToken reports whether s can be the name of a mesh or a cache, or the ID
// of a member: 1 to MaxToken characters of A-Z, a-z, 0-9, _ and -.
func ValidToken(s string) bool {
	if len(s) == 0 || len(s) > MaxToken {
		return false
	}
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return true
}

var tokenByte = func() (ok [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") {
		ok[c] = true
	}
	return ok
}()
