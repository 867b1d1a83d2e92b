package mesh

// asked finds the questions that are under way on a link by their numbers. It is an
// open hash table with linear probing whose hash is the number itself: numbers that are given out
// one after the other lie beside each other. The zero value is ready.
type asked struct {
	slots []askedSlot // a power of two of them, half of them empty at least
	n     int
	away  int // calls that are not where they belong, for others were there: mostly none
	most  int // calls at once since trim
}

// askedSlot has its call's number beside it, so that who probes need not look at the call.
type askedSlot struct {
	number uint64
	k      *call // nil: empty
}

const leastAsked = 64

func (a *asked) len() int { return a.n }

func (a *asked) at(number uint64) int { return int(number) & (len(a.slots) - 1) }

// get gives the call of that number, nil if there is none.
func (a *asked) get(number uint64) *call {
	if a.n == 0 {
		return nil
	}
	i := a.at(number)
	for a.slots[i].k != nil && a.slots[i].number != number {
		i = a.at(uint64(i) + 1)
	}
	return a.slots[i].k
}

// put puts a call in, in the place of one of its number.
func (a *asked) put(k *call) {
	if 2*(a.n+1) > len(a.slots) {
		a.resize(max(leastAsked, 2*len(a.slots)))
	}
	i := a.at(k.number)
	for a.slots[i].k != nil && a.slots[i].number != k.number {
		i = a.at(uint64(i) + 1)
	}
	if a.slots[i].k == nil {
		a.n++
		a.most = max(a.most, a.n)
		if i != a.at(k.number) {
			a.away++
		}
	}
	a.slots[i] = askedSlot{k.number, k}
}

func (a *asked) resize(size int) {
	old := a.slots
	a.slots, a.n, a.away = make([]askedSlot, size), 0, 0
	for _, o := range old {
		if o.k != nil {
			a.put(o.k)
		}
	}
}

// trim gives memory back that has not been needed since it was last called: after a burst
// each would go through all of it.
func (a *asked) trim() {
	most := a.most
	if a.most = a.n; len(a.slots) <= leastAsked || 8*most > len(a.slots) {
		return
	}
	size := leastAsked
	for size < 4*most {
		size *= 2
	}
	a.resize(size)
}

// remove takes the call of that number out, and reports whether there was one.
func (a *asked) remove(number uint64) bool {
	if a.n == 0 {
		return false
	}
	i := a.at(number)
	for a.slots[i].k != nil && a.slots[i].number != number {
		i = a.at(uint64(i) + 1)
	}
	if a.slots[i].k == nil {
		return false
	}
	a.n--
	if i != a.at(number) {
		a.away--
	}
	// What follows moves up, where it still is no further ahead than where it belongs.
	for j := i; a.away > 0; {
		j = a.at(uint64(j) + 1)
		if a.slots[j].k == nil {
			break
		}
		home := a.at(a.slots[j].number)
		if a.at(uint64(j-home)) >= a.at(uint64(j-i)) {
			a.slots[i] = a.slots[j]
			if i == home {
				a.away--
			}
			i = j
		}
	}
	a.slots[i] = askedSlot{}
	return true
}

// each goes through all calls. None may be put in or taken out meanwhile.
func (a *asked) each(yield func(*call) bool) {
	for _, s := range a.slots {
		if s.k != nil && !yield(s.k) {
			return
		}
	}
}

// clear takes all out, and gives the memory back.
func (a *asked) clear() { *a = asked{} }
