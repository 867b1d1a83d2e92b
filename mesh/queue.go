package mesh

// queue is the questions of a link that are to be sent, the oldest first. What is taken out of
// its middle leaves a gap, so that it costs as little for each of many as for one. The zero value is ready.
type queue struct {
	calls []*call // nil: a gap
	first uint64  // the place of calls[0]; places are counted from 0 on, for ever
	n     int     // calls that are no gaps
}

const leastQueue = 64

func (q *queue) len() int { return q.n }

// has reports whether k is in the queue: it is in none but that of its link.
func (q *queue) has(k *call) bool { return k.place > q.first }

// push puts k in as the youngest. It is not in yet.
func (q *queue) push(k *call) {
	q.calls = append(q.calls, k)
	k.place = q.first + uint64(len(q.calls))
	q.n++
}

// remove takes k out, and reports whether it was in.
func (q *queue) remove(k *call) bool {
	if !q.has(k) {
		return false
	}
	q.calls[k.place-q.first-1] = nil
	k.place = 0
	q.n--
	if len(q.calls) > leastQueue && len(q.calls) > 2*q.n {
		q.close()
	}
	return true
}

// close closes the gaps.
func (q *queue) close() {
	kept := q.calls[:0]
	for _, k := range q.calls {
		if k != nil {
			kept = append(kept, k)
			k.place = q.first + uint64(len(kept))
		}
	}
	clear(q.calls[len(kept):])
	q.calls = kept
}

// take takes the oldest out, up to the first that does not fit, and appends them to into.
func (q *queue) take(into []*call, fits func(*call) bool) []*call {
	n := 0
	for _, k := range q.calls {
		if k != nil {
			if !fits(k) {
				break
			}
			into = append(into, k)
			k.place = 0
			q.n--
		}
		n++
	}
	if q.first += uint64(n); q.n == 0 {
		clear(q.calls)
		q.calls = q.calls[:0]
	} else {
		q.calls = append(q.calls[:0], q.calls[n:]...)
		clear(q.calls[len(q.calls) : len(q.calls)+n])
	}
	return into
}

// each goes through all, the oldest first. None may be put in or taken out meanwhile.
func (q *queue) each(yield func(*call) bool) {
	for _, k := range q.calls {
		if k != nil && !yield(k) {
			return
		}
	}
}

// clear takes all out, and gives the memory back.
func (q *queue) clear() {
	for k := range q.each {
		k.place = 0
	}
	*q = queue{}
}
