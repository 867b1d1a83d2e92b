package wire

// AppendAnswer appends the encoding of a and the values of its results, in the
// order of the results, to dst and returns the extended slice. The Lengths of
// the results must add up to the bytes of the values; they are not set for the
// caller. When a breaks a rule of the protocol, AppendAnswer returns dst as it
// was and an error that wraps ErrMalformed.
func AppendAnswer(dst []byte, a *Answer, values ...[]byte) ([]byte, error) {
	if err := a.check(); err != nil {
		return dst, err
	}
	total := 0
	for _, v := range values {
		total += len(v)
	}
	if err := a.checkValues(total); err != nil {
		return dst, err
	}
	out, err := appendBody(appendHead(dst, kindAnswer), a)
	if err != nil {
		return dst, err
	}
	if total == 0 {
		return out, nil
	}
	out = appendItemHead(out, majorBytes, uint64(total))
	for _, v := range values {
		out = append(out, v...)
	}
	return out, nil
}

// DecodeAnswer is Decode for a message that must be an Answer. The values of
// its results lie in values one after the other, in the order of the results
// and each of the Length that its result names; nothing else does. values
// aliases data and is nil when there are none.
func DecodeAnswer(data []byte) (a *Answer, values []byte, err error) {
	a = new(Answer)
	if values, err = DecodeAnswerInto(a, data); err != nil {
		return nil, nil, err
	}
	return a, values, nil
}

// DecodeAnswerInto is DecodeAnswer into an Answer that has been used before: the
// memory of its Results is used again. After an error a holds nothing of use.
func DecodeAnswerInto(a *Answer, data []byte) (values []byte, err error) {
	*a = Answer{Results: a.Results[:0]}
	rest, err := openAs(data, kindAnswer)
	if err != nil {
		return nil, err
	}
	r := reader{data: rest}
	r.answer(a)
	if len(r.data) > 0 {
		if values = r.bytes(); len(values) == 0 || len(r.data) > 0 {
			r.fail("what follows the answer is not the bytes of its values")
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	if err := a.checkValues(len(values)); err != nil {
		return nil, err
	}
	return values, nil
}
