// Frames in which every event keeps a pace of its own, as while buffers fill: it moves by the same cycles from frame to
// frame. That goes on until what it waits for is overtaken by something that moves faster; the frames up to then are
// skipped.

#pragma once

#include "event_graph.h"

namespace {

struct Drift : EventGraph {
    int64_t frames;
    std::vector<Time *> accepted;  // for each actor that is a sink: where its firing times go
    int64_t depth = 1;             // no event depends on one that is more frames older
    bool behind = false;           // some actor goes on slower than the pace
    size_t suspect = 0;            // the actor that last kept frames from being skipped

    // What an event waits for: when it is there, and how far that moves in a frame.
    struct Candidate {
        Time time, shift;
    };

    // An event of a finished frame, as a candidate; false where it does not move evenly yet.
    bool known(int64_t index, int64_t frame, int64_t event, Time later, Candidate &found) const {
        const Actor &actor = actors[index];
        if (frame >= actor.frame || frame < actor.linear_since - 2 || frame < actor.frame - kMaxPeriod) return false;
        found = {times(actor, frame)[event] + later, moved(actor, event)};
        return true;
    }

    // The later candidate now; of two that are there in the same cycle the faster one, which is later from then on.
    static Candidate later(const Candidate &a, const Candidate &b) {
        return a.time > b.time || (a.time == b.time && a.shift > b.shift) ? a : b;
    }

    static void limit(const Candidate &winner, const Candidate &other, int64_t &most) {
        if (other.shift > winner.shift) most = std::min(most, (winner.time - other.time) / (other.shift - winner.shift));
    }

    // Lowers `most` to the frames after which some event would have to wait for something else than in the actor's last
    // finished frame; false when it is not known what it waits for.
    bool bound(Actor &actor, int64_t &most) {
        const int64_t frame = actor.frame - 1;
        const Time *now = times(actor, frame);
        const int64_t end = actor.firings - 1;
        Candidate own{times(actor, frame - 1)[end] + actor.span(end), moved(actor, end)}, other;
        std::vector<int64_t> made(actor.outputs.size(), 0);
        std::vector<Candidate> data, room;
        actor.ready_shift.resize(actor.firings);
        for (int64_t k = 0; k < actor.firings; k++) {
            data.assign(1, own);
            room.clear();
            for (int64_t e : actor.inputs) {
                const Edge &edge = edges[e];
                const int64_t need = actor.need(edge, k);
                // Beats that the actor has given back already came before its last event.
                if (need == 0 || (k > 0 && need <= actor.release(edge, k - 1))) continue;
                if (!known(edge.source, frame, edge.producer[need - 1], edge.latency, other)) return false;
                data.push_back(other);
            }
            for (size_t o = 0; o < actor.outputs.size(); o++) {
                const Edge &edge = edges[actor.outputs[o]];
                if (!actor.produce(edge, k)) continue;
                const int64_t slot = frame * edge.beats + made[o]++ - edge.capacity;
                if (slot < 0 || !known(edge.target, slot / edge.beats, edge.releaser[slot % edge.beats], 1, other))
                    return false;
                room.push_back(other);
            }
            if (actor.kind == kSource && k == 0) room.push_back({frame * pace, pace});
            Candidate ready = data[0];
            for (const Candidate &one : data) ready = later(ready, one);
            for (const Candidate &one : data) limit(ready, one, most);
            Candidate winner = ready;
            for (const Candidate &one : room) winner = later(winner, one);
            for (const Candidate &one : room) limit(winner, one, most);
            limit(winner, ready, most);
            if (winner.time != now[k] || winner.shift != moved(actor, k) || most < 3) return false;
            actor.ready_shift[k] = ready.shift;
            own = {now[k] + actor.span(k), winner.shift};
        }
        return true;
    }

    // For how many frames everything is sure to go on as in the last one; 0 when that is not known.
    int64_t steady_frames() {
        for (const Actor &actor : actors)
            if (actor.frame < depth + 3 || actor.linear_since == kNever || actor.linear_since > actor.frame - 1 - depth)
                return 0;
        index_beats();
        int64_t most = kNever;
        // Begins with the actor that failed last: most often it does so again.
        for (size_t i = 0; i < actors.size(); i++) {
            const size_t index = (suspect + i) % actors.size();
            if (!bound(actors[index], most)) {
                suspect = index;
                return 0;
            }
        }
        return most == kNever ? 0 : most;
    }

    // Moves the times of a ring by `skip` frames; `count` beats have passed it before, `events` puts them there.
    void move(std::vector<Time> &ring, int64_t count, int64_t skip, const Edge &edge, const Actor &actor,
              const std::vector<int64_t> &events) const {
        const int64_t size = static_cast<int64_t>(ring.size());
        const std::vector<Time> old = ring;
        for (int64_t beat = std::max<int64_t>(0, count - size); beat < count; beat++) {
            const Time later = skip * moved(actor, events[beat % edge.beats]);
            ring[(beat + skip * edge.beats) % size] = old[beat % size] + later;
        }
    }

    // Whether everything moves at one pace already, so that frames will be found to repeat.
    bool alike() const {
        for (const Actor &actor : actors)
            if (actor.twins[1].since == kNever || actor.twins[1].shift != actors[0].twins[1].shift) return false;
        return true;
    }

    // Skips the frames for which `steady_frames` vouches, all but one: actors have begun frames beyond the last.
    void drift() {
        int64_t ahead = 0;
        for (const Actor &actor : actors) ahead = std::max(ahead, actor.frame + 2);
        if (ahead >= frames || depth + 3 > kMaxPeriod || alike()) return;
        const int64_t skip = std::min(steady_frames() - 1, frames - ahead);
        if (skip < 2) return;
        if (pace) {
            for (const Actor &actor : actors) behind = behind || moved(actor, actor.firings - 1) > pace;
            if (behind) return;
        }
        for (Edge &edge : edges) {
            move(edge.produce_time, edge.produced, skip, edge, actors[edge.source], edge.producer);
            move(edge.release_time, edge.released, skip, edge, actors[edge.target], edge.releaser);
            if (edge.accepted) {
                const Actor &taker = actors[edge.target];
                for (int64_t i = taker.frame * edge.beats; i < edge.released + skip * edge.beats; i++)
                    edge.accepted[i] = edge.accepted[i - edge.beats] + moved(taker, edge.releaser[i % edge.beats]);
            }
            edge.produced += skip * edge.beats;
            edge.released += skip * edge.beats;
            edge.put = edge.produced % edge.capacity;
            edge.take = edge.released % edge.capacity;
        }
        for (size_t a = 0; a < actors.size(); a++) skip_frames(actors[a], accepted[a], skip);
    }

    void skip_frames(Actor &actor, Time *accepted_here, int64_t skip) {
        const int64_t first = actor.frame, begun = actor.firing, end = actor.firings - 1;
        std::vector<Time> base(times(actor, first - 1), times(actor, first - 1) + actor.firings), shifts(actor.firings);
        for (int64_t k = 0; k <= end; k++) shifts[k] = moved(actor, k);
        const Time of_last = shifts[begun ? begun - 1 : end];
        int64_t more = 0;
        for (int64_t k = 0; k <= end; k++) more += shifts[k] - actor.ready_shift[k];
        for (int64_t j = 0; j <= skip; j++) {
            const int64_t events = j < skip ? actor.firings : begun;
            Time *row = &actor.history[((first + j) % (kMaxPeriod + 1)) * actor.firings];
            // Only the last rows are looked at again.
            if (accepted_here || j + kMaxPeriod >= skip)
                for (int64_t k = 0; k < events; k++) row[k] = base[k] + (j + 1) * shifts[k];
            if (accepted_here) std::copy_n(row, events, accepted_here + (first + j) * actor.firings);
            if (j == skip) break;
            actor.stalled_by_frame.push_back(actor.stalled_by_frame.back() + more);
            actor.last_by_frame.push_back(actor.last_by_frame.back() + shifts[end]);
        }
        for (int64_t k = 0; k < begun; k++) actor.stalled += skip * (shifts[k] - actor.ready_shift[k]);
        actor.frame += skip;
        begin_row(actor);
        actor.last += skip * of_last;
    }
};

}  // namespace
