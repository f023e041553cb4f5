// Package pipeline is the file that says how images move through the environments of a
// repository, and where their pins stand.
//
// [Parse] decodes a promotion.yaml strictly; [Discover] makes a [Pipeline] of a
// repository that has none, of the pins that it finds. A pipeline's [Layout] is a list of
// locations, templates with holes for services and environments. With the holes filled a
// location is a [Site]: where the pins of one service stand in one environment. [Sites]
// finds and reads them in a [Tree], [Pipeline.Match] tells them of a file in a history.
package pipeline
