// Proof that a design cannot keep a pace: a circle of events that takes too long.
//
// What an event waited for waited for something itself. Followed back, that ends at the pace of the source, or goes around
// a circle. A circle that comes back to the event it began with after W cycles, H frames earlier, makes that event come W
// cycles later every H frames, for ever: more than the pace if W > H * pace (the circle with the largest W / H sets the
// pace of a timed event graph: Baccelli, Cohen, Olsder, Quadrat, "Synchronization and Linearity", 1992, section 3.2).

#pragma once

#include "event_graph.h"

namespace {

// An event that another one may have waited for, `frames` frames earlier: that one came `wait` cycles later, in `until`.
struct Cause {
    int64_t actor = -1, event = 0, frames = 0;
    Time wait = 0, until = -1, shift = 0;
};

class CircleSearch {
public:
    explicit CircleSearch(const EventGraph &graph) : graph_(graph), seen_(graph.actors.size()) {}

    // Whether following back the last event of actor `index` leads around a circle that is too slow.
    bool too_slow_from(int64_t index) {
        std::vector<Step> steps{{0, 0}};
        int64_t event = graph_.actors[index].firings - 1;
        for (;;) {
            const Actor &actor = graph_.actors[index];
            std::vector<int64_t> &seen = seen_[index];
            seen.resize(actor.firings, -1);
            if (seen[event] >= 0) {
                const Step &first = steps[seen[event]], &now = steps.back();
                return now.cycles - first.cycles > graph_.pace * (now.frames - first.frames);
            }
            seen[event] = static_cast<int64_t>(steps.size()) - 1;
            const Cause cause = cause_of(index, event);
            if (cause.actor < 0) return false;
            steps.push_back({steps.back().cycles + cause.wait, steps.back().frames + cause.frames});
            index = cause.actor;
            event = cause.event;
        }
    }

private:
    struct Step {
        Time cycles;
        int64_t frames;
    };

    // Takes an event `frames` frames before `frame` for the latest where it is; of two that are as late, the one that moves
    // faster.
    void consider(Cause &latest, int64_t index, int64_t frame, int64_t frames, int64_t event, Time wait) const {
        const Actor &actor = graph_.actors[index];
        const int64_t then = frame - frames;
        if (then < 0 || then >= actor.frame || then < actor.frame - kMaxPeriod) return;
        const Time until = graph_.times(actor, then)[event] + wait;
        const Time shift = actor.frame > 1 ? graph_.moved(actor, event) : 0;
        if (until > latest.until || (until == latest.until && shift > latest.shift))
            latest = {index, event, frames, wait, until, shift};
    }

    // What an event waited for in its actor's last finished frame; no actor for the pace, or where it is not known.
    Cause cause_of(int64_t index, int64_t k) const {
        const Actor &actor = graph_.actors[index];
        const int64_t frame = actor.frame - 1;
        Cause latest;
        if (actor.kind == kSource && k == 0) latest = {-1, 0, 0, 0, frame * graph_.pace, graph_.pace};
        if (k > 0) consider(latest, index, frame, 0, k - 1, actor.span(k - 1));
        else consider(latest, index, frame, 1, actor.firings - 1, actor.span(actor.firings - 1));
        for (int64_t e : actor.inputs) {
            const Edge &edge = graph_.edges[e];
            const int64_t need = actor.need(edge, k);
            if (need > 0) consider(latest, edge.source, frame, 0, edge.producer[need - 1], edge.latency);
        }
        for (int64_t e : actor.outputs) {
            const Edge &edge = graph_.edges[e];
            if (!actor.produce(edge, k)) continue;
            const auto made = std::lower_bound(edge.producer.begin(), edge.producer.end(), k) - edge.producer.begin();
            const int64_t slot = frame * edge.beats + made - edge.capacity;
            if (slot < 0) continue;
            consider(latest, edge.target, frame, frame - slot / edge.beats, edge.releaser[slot % edge.beats], 1);
        }
        return latest.until == graph_.times(actor, frame)[k] ? latest : Cause{};
    }

    const EventGraph &graph_;
    std::vector<std::vector<int64_t>> seen_;  // the step at which each event was met
};

// Whether the design is proven to fall behind the pace for ever.
bool overloaded(EventGraph &graph) {
    int64_t slowest = -1;
    Time most = graph.pace;
    for (size_t a = 0; a < graph.actors.size(); a++) {
        const Actor &actor = graph.actors[a];
        if (actor.frame < 2) continue;
        const Time moved = graph.moved(actor, actor.firings - 1);
        if (moved > most) {
            most = moved;
            slowest = static_cast<int64_t>(a);
        }
    }
    if (slowest < 0) return false;
    graph.index_beats();
    return CircleSearch(graph).too_slow_from(slowest);
}

}  // namespace
