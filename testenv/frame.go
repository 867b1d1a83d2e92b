package testenv

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

const (
	maxLine    = 64 << 10 // of a protocol line that is looked at; longer ones pass in pieces, as they are
	maxMessage = 65 << 20 // above what a server can be told to take
)

// frames cuts a NATS byte stream where it may be cut: into lines, and into messages, which are a line and the payload
// whose size ends that line. What is no NATS passes line by line.
type frames struct{ r *bufio.Reader }

func newFrames(r io.Reader) frames { return frames{bufio.NewReaderSize(r, maxLine)} }

// next returns the next frame and whether it is a message. At the end of the stream it returns what is left with the
// error.
func (f frames) next() (data []byte, message bool, err error) {
	line, err := f.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	size, message := payload(line)
	if err != nil || !message {
		return bytes.Clone(line), false, err
	}
	data = make([]byte, len(line)+size+len("\r\n"))
	n := copy(data, line)
	rest, err := io.ReadFull(f.r, data[n:])
	return data[:n+rest], true, err
}

// payload is the size of the payload that follows the line, if the line begins a message.
func payload(line []byte) (size int, message bool) {
	verb, _, _ := bytes.Cut(line, []byte(" "))
	fields := 0 // at least; a reply subject is one more
	switch string(bytes.ToUpper(verb[:min(len(verb), 4)])) {
	case "PUB":
		fields = 3 // PUB subject [reply] size
	case "HPUB", "MSG":
		fields = 4 // HPUB subject [reply] header total; MSG subject sid [reply] size
	case "HMSG":
		fields = 5 // HMSG subject sid [reply] header total
	default:
		return 0, false
	}
	parts := bytes.Fields(line)
	if len(parts) != fields && len(parts) != fields+1 {
		return 0, false
	}
	size, err := strconv.Atoi(string(parts[len(parts)-1]))
	return size, err == nil && size >= 0 && size <= maxMessage
}
