// Package events tells others what has become of promotions: as CloudEvents to a server or a
// file, as a line for people to the incoming webhooks of Slack, Teams and Matrix, as deployments to
// a forge, and as OpenMetrics text for a collector.
//
// Nothing depends on it. A destination that cannot be told is an error that the caller may
// show; it is tried again a few times, and not for longer than a time limit. The same event
// has the same id however often it is sent, so that who gets it twice can tell.
package events
