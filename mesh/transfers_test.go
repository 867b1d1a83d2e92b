package mesh

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cachemesh/cachemesh/internal/wire"
)

// heldBytes is what transfers hold.
func (t *transfers) heldBytes() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.held {
		n += len(x.data)
	}
	return n
}

func TestWhatHasBeenPulledIsSoonHeldNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, piece = 2 << 20, 256 << 10
		began := time.Now()
		now := func() int64 { return int64(time.Since(began)) }
		var tr transfers
		tr.init()
		pull := func(n uint64, pieces int) {
			for i := range pieces {
				res, data := tr.piece(&wire.Question{Transfer: n, Offset: int64(i) * piece, Length: piece}, now())
				if res.Status != wire.Value || len(data) != piece {
					t.Fatalf("piece %d of transfer %d: %+v", i, n, res)
				}
			}
		}
		for range 400 { // far more than may rest, at once
			pull(tr.open(make([]byte, size), now()), size/piece)
		}
		if held := tr.heldBytes(); held > mostResting {
			t.Errorf("%d bytes are held", held)
		}
		last := tr.next
		time.Sleep(transferRest / 2)
		pull(last, 1) // it had been lost
		half := tr.open(make([]byte, size), now())
		pull(half, 3)
		time.Sleep(transferRest + transferSweep)
		if held := tr.heldBytes(); held != size {
			t.Errorf("%d bytes are held when all but one have been pulled", held)
		}
		pull(half, 4) // who is slow is waited for
		time.Sleep(transferLife + 2*transferSweep)
		if held := tr.heldBytes(); held != 0 {
			t.Errorf("%d bytes are held when nobody has asked for long", held)
		}
		if res, _ := tr.piece(&wire.Question{Transfer: half, Length: piece}, now()); res.Status != wire.Stranger {
			t.Errorf("what is no longer held is answered: %+v", res)
		}
		if tr.bytes != 0 || len(tr.resting) != 0 {
			t.Errorf("%d bytes rest, %d values", tr.bytes, len(tr.resting))
		}
	})
}
