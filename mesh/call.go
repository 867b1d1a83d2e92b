package mesh

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// call is one question to one member, until it is answered or its member is
// found to be out of reach.
type call struct {
	core     *core // of the cache it is about; nil for AskChunk and AskCancel
	key      string
	kind     wire.Asked
	flags    uint8
	maxAge   time.Duration
	reads    uint32
	trace    string
	ruledOut []string
	brief    bool // worth briefPatience, until the member says that it has come
	transfer uint64
	offset   int64
	length   int64

	// fetch is told of the end, where the call is one of a fetch; else done is:
	// once, from a goroutine that must not be blocked.
	fetch *fetch
	done  func(reply)

	number  uint64
	inc     uint64   // of the instance that is asked; 0: whoever has the ID. Before it is asked, 0: the one that is known then
	waited  bool     // that instance was waited for when it was asked
	began   int64    // when it was asked
	sent    int64    // when it was first sent; 0: not yet
	due     int64    // when it is looked at again
	batch   uint64   // that it was last sent in
	place   uint64   // in the link's queue; 0: it is not in it
	working bool     // the member has it and is at work, as it has said since it was last sent
	taken   bool     // it has said so before
	refused int64    // when another incarnation refused it, since the one asked last gave a sign; 0: none has
	parted  bool     // the member was found to be gone, and has had its last words heard out
	hedged  bool     // its fetch has asked elsewhere meanwhile
	again   bool     // it is among the calls and in the queue: to be repeated
	pull    *pulling // it has been answered, with what is on its way in pieces; guarded by the link's lock
	// forgotten: nobody waits for it any more. The link's lock guards it.
	forgotten bool
	// held: others than the link and its fetch may still look at it when it has ended.
	held atomic.Bool
}

// end tells who waits for the call how it has ended.
func (k *call) end(r reply) {
	switch {
	case k.fetch != nil:
		k.fetch.answered(&r)
	case k.done != nil:
		k.done(r)
	}
}

// asks reports whether the question is for that incarnation.
func (k *call) asks(inc uint64) bool { return k.inc == 0 || k.inc == inc }

// works notes that the member is at work on it, and is to be asked again after probe: whoever says so for ever is
// not waited for any longer.
func (k *call) works(now int64, probe time.Duration) {
	k.working, k.refused = true, 0
	k.due = min(now+int64(probe), max(now, k.began+int64(k.limit()))+1)
}

// waits notes whether the load asked for waits for its turn.
func (k *call) waits(queued bool) {
	if k.fetch == nil {
		return
	}
	phase := phaseLoading
	if queued {
		phase = phaseQueued
	}
	k.fetch.f.SetPhase(phase)
}

// patience is how long it may be on its way before something is done about it.
func (k *call) patience() time.Duration {
	if k.brief {
		return briefPatience
	}
	return repeatAfter
}

// limit is how long it may take in all.
func (k *call) limit() time.Duration {
	if k.core != nil {
		return callSlack + k.core.opts.LoadTimeout
	}
	return callSlack
}

// size is the most that its question takes in a message.
func (k *call) size() int {
	size := wire.QuestionBytes + len(k.key) + len(k.trace)
	for _, id := range k.ruledOut {
		size += len(id) + wire.NameBytes
	}
	return size
}

// reply is what a call ends with. Status 0: the member cannot be reached.
type reply struct {
	status wire.Status
	result wire.Result
	data   []byte // the value
	shared bool   // data is a small part of a message: whoever keeps it for long copies it
	from   string // who answered
	// trip is the time on the way there and back: nobody knows how much of it
	// passed after the value's age was taken.
	trip time.Duration
	at   int64 // when it came
}

// err is the error that the reply stands for; nil where there is none.
func (r *reply) err(key string) error {
	member := r.from
	if r.result.Owner != "" {
		member = r.result.Owner
	}
	switch r.status {
	case wire.NotFound:
		text := r.result.Error
		if text == "" {
			return &LoadError{Key: key, Member: member, Err: ErrNotFound}
		}
		return &LoadError{Key: key, Member: member, Err: &remoteError{text: text, is: ErrNotFound}}
	case wire.Failed:
		e := &remoteError{text: r.result.Error}
		if r.result.Flags&wire.FlagLimit != 0 {
			e.is = errLoadTimeout
		}
		return &LoadError{Key: key, Member: member, Err: e}
	case wire.Overloaded:
		return fmt.Errorf("%w: on member %s", ErrOverloaded, r.from)
	case wire.TooLarge:
		if r.result.Error != "" {
			return fmt.Errorf("%w: %s", ErrTooLarge, r.result.Error)
		}
		return fmt.Errorf("%w: of key %s, on member %s", ErrTooLarge, quoteKey(key), r.from)
	case wire.Nothing:
		return ErrNotCached
	}
	return nil
}

// mostWords is how many bytes of an error's text travel.
const mostWords = 4 << 10

// resultOf is the answer that an error of a flight stands for.
func resultOf(err error) wire.Result {
	var le *LoadError
	switch {
	case errors.As(err, &le):
		res := wire.Result{Status: wire.Failed, Error: le.Err.Error(), Owner: le.Member}
		switch {
		case errors.Is(le.Err, ErrNotFound):
			res.Status = wire.NotFound
			if le.Err == ErrNotFound {
				res.Error = ""
			}
		case errors.Is(le.Err, errLoadTimeout):
			res.Flags = wire.FlagLimit
		}
		res.Error = res.Error[:min(len(res.Error), mostWords)]
		return res
	case errors.Is(err, ErrTooLarge):
		return wire.Result{Status: wire.TooLarge, Error: strings.TrimPrefix(err.Error(), ErrTooLarge.Error()+": ")}
	case errors.Is(err, ErrOverloaded):
		return wire.Result{Status: wire.Overloaded}
	case errors.Is(err, errNothing), errors.Is(err, ErrNotCached):
		return wire.Result{Status: wire.Nothing}
	default: // closing, or no owner here: somebody else may know better
		return wire.Result{Status: wire.Stranger}
	}
}
