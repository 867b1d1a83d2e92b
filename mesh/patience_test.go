package mesh

import (
	"testing"
	"time"
)

// ms is a moment, or a span, in milliseconds.
func ms(n int64) int64 { return n * int64(time.Millisecond) }

func TestPatienceLearnsFromRoundTripsAndForgetsTheWorst(t *testing.T) {
	var p patience
	if got := p.limit(); got != 2*leastPatience {
		t.Errorf("%v with a member that has never answered", got)
	}
	now := ms(1000)
	trip := func(d int64) {
		p.sent(uint64(now), 1, now)
		now += ms(d)
		p.answered(uint64(now-ms(d)), now)
	}
	for range 20 {
		trip(1)
	}
	if got := p.limit(); got != leastSlow {
		t.Errorf("%v with a member that answers in a millisecond", got)
	}
	trip(200)
	if got := p.limit(); got != 600*time.Millisecond {
		t.Errorf("%v after one round trip of 200ms, want three times that", got)
	}
	trip(800)
	if got := p.limit(); got != mostPatience {
		t.Errorf("%v after one of 800ms, want no more than %v", got, mostPatience)
	}
	for range 200 {
		trip(1)
	}
	if got := p.limit(); got != leastSlow {
		t.Errorf("%v long afterwards", got)
	}
}

func TestAMemberIsSlowThenSilentUntilItAnswers(t *testing.T) {
	var p patience
	p.sent(1, 1, ms(0))
	p.answered(1, ms(1))
	p.sent(2, 1, ms(1000))
	look := func(at int64, waits bool, heard int64) (slow uint64) {
		slow, next := p.judge(waits, ms(heard), ms(at))
		if slow == 0 && !p.silent && (next <= ms(at) || next > ms(2000)) {
			t.Errorf("at %d ms it looks again at %d", at, next/ms(1))
		}
		return slow
	}
	if look(1200, true, 0) != 0 || p.silent {
		t.Error("slow before its time")
	}
	if look(1260, true, 1255) != 2 || p.silent {
		t.Error("not slow, or silent although it is heard")
	}
	if look(1400, false, 0); p.silent {
		t.Error("silent, though one message may have been lost and nobody waits for an answer")
	}
	if look(1400, true, 0); !p.silent {
		t.Error("not silent")
	}
	if p.turn(ms(1500)) || !p.turn(ms(1400)+int64(repeatAfter)) || p.turn(ms(1410)+int64(repeatAfter)) {
		t.Error("a silent member is not tried now and then")
	}
	if p.hears(ms(1390)); !p.silent {
		t.Error("what was heard before is taken for a sign of life")
	}
	q := p
	if q.hears(ms(1410)); q.silent {
		t.Error("it is heard and is silent")
	}
	if p.answered(2, ms(1900)); p.silent || len(p.unacked) != 0 {
		t.Error("it has answered and is silent")
	}
}

func TestAProcessThatIsLateItselfBlamesNobody(t *testing.T) {
	var p patience
	p.sent(1, 1, ms(0))
	p.answered(1, ms(1))
	p.held(-time.Second, ms(2))
	if got := p.limit(); got != leastSlow {
		t.Errorf("%v for one that is never late", got)
	}
	p.held(100*time.Millisecond, ms(1000))
	if got := p.limit(); got != leastSlow+turns*100*time.Millisecond {
		t.Errorf("%v after it was 100ms late", got)
	}
	p.sent(2, 1, ms(900))
	if slow, _ := p.judge(true, 0, ms(1840)); slow != 0 || p.silent {
		t.Error("a member is blamed for the time that this process was held up")
	}
	if slow, _ := p.judge(true, 0, ms(1860)); slow != 2 {
		t.Error("a member is never blamed")
	}
	p.held(time.Hour, ms(2000))
	if got := p.limit(); got != leastSlow+turns*mostLate {
		t.Errorf("%v after it was stopped for an hour", got)
	}
	for range 100 {
		p.held(0, ms(3000))
	}
	if got := p.limit(); got > leastSlow+time.Millisecond {
		t.Errorf("%v long afterwards", got)
	}
}

func TestHedgesAreFivePercentAndSomeSavedUp(t *testing.T) {
	var b hedgeBudget
	take := func(fetches uint64, tries int) (n int) {
		for range tries {
			if b.take(fetches) {
				n++
			}
		}
		return n
	}
	if n := take(0, 100); n != hedgeBurst {
		t.Errorf("%d hedges before any fetch, want the %d saved up", n, hedgeBurst)
	}
	if n := take(10*hedgeShare, 100); n != 10 {
		t.Errorf("%d hedges for %d fetches, want 10", n, 10*hedgeShare)
	}
	if n := take(1_000_000, 100); n != hedgeBurst {
		t.Errorf("%d hedges after very many fetches, want no more than %d", n, hedgeBurst)
	}
	if n := take(1_000_000+hedgeShare-1, 10); n != 0 {
		t.Errorf("%d hedges for less than %d fetches", n, hedgeShare)
	}
}
