package node

import "strings"

// redacted is a URL, or a list of them, fit for a log: without passwords and
// tokens. It takes URL templates with {key}, and what is no URL at all.
func redacted(urls string) string {
	parts := strings.Split(urls, ",")
	for i, part := range parts {
		scheme, rest, ok := strings.Cut(part, "://")
		if ok {
			scheme += "://"
		} else {
			scheme, rest = "", part
		}
		// What is before the last @ of the authority: passwords may hold one.
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		at := strings.LastIndexByte(rest[:end], '@')
		if at < 0 {
			continue
		}
		user, _, hasPassword := strings.Cut(rest[:at], ":")
		switch {
		case ok && hasPassword:
			user += ":xxxxx"
		default: // alone, it is a token
			user = "xxxxx"
		}
		parts[i] = scheme + user + rest[at:]
	}
	return strings.Join(parts, ",")
}
