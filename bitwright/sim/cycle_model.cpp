// Evaluates a timed dataflow graph: the cycle of each firing follows from earlier firings alone (max-plus), so no cycle
// is ever stepped. A worklist lets each actor fire as far as the known times of its neighbours allow; each edge keeps a
// ring of the times at which its last beats were produced and its last slots released.
//
// Frames repeat: once every firing of `depth` frames in a row lies `shift` cycles after its twin `period` frames before,
// all later frames do so too (no firing depends on anything older), and the rest is written down without evaluation.
// Before that, while buffers fill, each event often has a pace of its own: it moves by the same cycles from frame to
// frame. That goes on until what it waits for is overtaken by something that moves faster; the frames up to then are
// skipped (`drift`).

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace {

using Time = int64_t;

constexpr int64_t kMaxPeriod = 16;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

enum Kind : int64_t { kStage = 0, kSource = 1, kSink = 2 };

struct Edge {
    int64_t source, target, capacity, latency, beats;
    const int32_t *need, *release, *produce;
    int64_t produced = 0, released = 0;
    int64_t put = 0, take = 0;  // produced % capacity, released % capacity
    std::vector<Time> produce_time, release_time;
    std::vector<int64_t> producer, releaser;  // for each beat of a frame the event that puts it in, and that frees it
};

struct Twin {  // how an actor's frames compare with those `period` frames before
    int64_t since = kNever;
    Time shift = 0;
};

struct Actor {
    int64_t kind, firings;  // firings: events, each of spans[k] firings in a row
    const int32_t *spans;
    std::vector<int64_t> inputs, outputs;
    int64_t frame = 0, firing = 0, fired = 0;
    Time last = -1;
    bool queued = false;
    int64_t waits_for = -1;  // the edge that blocks it
    int64_t stalled = 0;
    std::vector<int64_t> stalled_by_frame;
    std::vector<Time> last_by_frame;
    std::unique_ptr<Time[]> history;  // times of the events of the last kMaxPeriod + 1 frames
    Time *row = nullptr;              // where those of this frame go
    std::vector<Twin> twins;    // one for each period
    int64_t linear_since = kNever;  // from this frame on each event moved as far as in the frame before
    std::vector<Time> ready_shift;  // how far the cycle in which each event has its data moves in a frame
};

struct Evaluator {
    std::vector<Actor> actors;
    std::vector<Edge> edges;
    int64_t frames, input_edge, pace;
    const int64_t *gaps;        // one for each input beat, or null
    std::vector<const int64_t *> wait_for_ready;  // for each actor: cycles from t % length until ready, or null
    std::vector<int64_t> mask_length;
    std::vector<Time *> accepted;  // for each actor that is a sink: where its firing times go
    Time *input_accepted;
    bool find_period;
    int64_t depth = 1, checked = 0;
    int64_t simulated = 0, period = 0;
    bool behind = false;  // some actor goes on slower than the pace
    Time shift = 0;
    std::vector<int64_t> work;

    void wake(int64_t index) {
        if (!actors[index].queued) {
            actors[index].queued = true;
            work.push_back(index);
        }
    }

    // Fires actor `index` once if all it needs is known; returns whether it did.
    bool fire(int64_t index, Actor &actor) {
        const int64_t k = actor.firing;
        const Time earliest = actor.last + 1;
        Time ready = earliest;
        for (int64_t e : actor.inputs) {
            const Edge &edge = edges[e];
            const int64_t beat = actor.frame * edge.beats + edge.need[k] - 1;
            if (beat < edge.released) continue;
            if (beat >= edge.produced) {
                actor.waits_for = e;
                return false;
            }
            int64_t place = edge.take + (beat - edge.released);
            if (place >= edge.capacity) place -= edge.capacity;
            ready = std::max(ready, edge.produce_time[place] + edge.latency);
        }
        Time time = ready;
        for (int64_t e : actor.outputs) {
            const Edge &edge = edges[e];
            if (!edge.produce[k] || edge.produced < edge.capacity) continue;
            if (edge.produced - edge.released >= edge.capacity) {
                actor.waits_for = e;
                return false;
            }
            time = std::max(time, edge.release_time[edge.put] + 1);
        }
        if (actor.kind == kSource && gaps) time += gaps[actor.fired];
        if (actor.kind == kSource && k == 0) time = std::max(time, actor.frame * pace);
        if (wait_for_ready[index]) time += wait_for_ready[index][time % mask_length[index]];

        actor.waits_for = -1;
        actor.stalled += time - ready;
        for (int64_t e : actor.inputs) {
            Edge &edge = edges[e];
            const int64_t until = actor.frame * edge.beats + edge.release[k];
            if (edge.released < until) wake(edge.source);
            for (; edge.released < until; edge.released++) {
                if (e == input_edge) input_accepted[edge.released] = time;
                edge.release_time[edge.take] = time;
                if (++edge.take == edge.capacity) edge.take = 0;
            }
        }
        for (int64_t e : actor.outputs) {
            Edge &edge = edges[e];
            if (!edge.produce[k]) continue;
            edge.produce_time[edge.put] = time;
            edge.produced++;
            if (++edge.put == edge.capacity) edge.put = 0;
            wake(edge.target);
        }
        if (accepted[index]) accepted[index][actor.fired] = time;
        if (actor.row) actor.row[k] = time;
        actor.last = time + actor.spans[k] - 1;
        actor.fired++;
        if (++actor.firing == actor.firings) finish_frame(actor);
        return true;
    }

    static void begin_row(Actor &actor) { actor.row = &actor.history[(actor.frame % (kMaxPeriod + 1)) * actor.firings]; }

    const Time *times(const Actor &actor, int64_t frame) const {
        return &actor.history[(frame % (kMaxPeriod + 1)) * actor.firings];
    }

    void finish_frame(Actor &actor) {
        actor.stalled_by_frame.push_back(actor.stalled);
        actor.last_by_frame.push_back(actor.last);
        actor.stalled = 0;
        actor.firing = 0;
        const int64_t frame = actor.frame++;
        if (!find_period) return;
        begin_row(actor);
        const Time *now = &actor.history[(frame % (kMaxPeriod + 1)) * actor.firings];
        if (frame >= 2) {
            const Time *one = times(actor, frame - 1), *two = times(actor, frame - 2);
            int64_t k = 0;
            while (k < actor.firings && now[k] - one[k] == one[k] - two[k]) k++;
            if (k < actor.firings) actor.linear_since = kNever;
            else if (actor.linear_since == kNever) actor.linear_since = frame;
        }
        for (int64_t c = 1; c <= std::min(frame, kMaxPeriod); c++) {
            const Time *before = &actor.history[((frame - c) % (kMaxPeriod + 1)) * actor.firings];
            const Time distance = now[0] - before[0];
            // Frames that were each a twin of the one before are twins of all before.
            const bool chain = c > 1 && actor.twins[1].since != kNever && actor.twins[1].since <= frame - c + 1;
            int64_t k = chain ? actor.firings : 1;
            while (k < actor.firings && now[k] - before[k] == distance) k++;
            Twin &twin = actor.twins[c];
            if (k < actor.firings) {
                twin.since = kNever;
            } else if (twin.since == kNever || twin.shift != distance) {
                twin.since = frame;
                twin.shift = distance;
            }
        }
    }

    // Whether the frames that all actors have finished prove that everything repeats from here on.
    bool periodic() {
        int64_t done = kNever;
        for (const Actor &actor : actors) done = std::min(done, actor.frame);
        if (done <= checked) return false;
        checked = done;
        for (int64_t c = 1; c <= kMaxPeriod; c++) {
            const Time distance = actors[0].twins[c].shift;
            bool all = true;
            for (const Actor &actor : actors) {
                const Twin &twin = actor.twins[c];
                all = all && twin.since != kNever && twin.shift == distance && twin.since <= done - depth;
            }
            if (all) {
                simulated = done;
                period = c;
                shift = distance;
                return true;
            }
        }
        return false;
    }

    // How far an event moved in the last finished frame.
    Time moved(const Actor &actor, int64_t event) const {
        return times(actor, actor.frame - 1)[event] - times(actor, actor.frame - 2)[event];
    }

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
        Candidate own{times(actor, frame - 1)[end] + actor.spans[end], moved(actor, end)}, other;
        std::vector<int64_t> made(actor.outputs.size(), 0);
        std::vector<Candidate> data, room;
        actor.ready_shift.resize(actor.firings);
        for (int64_t k = 0; k < actor.firings; k++) {
            data.assign(1, own);
            room.clear();
            for (int64_t e : actor.inputs) {
                const Edge &edge = edges[e];
                // Beats that the actor has given back already came before its last event.
                if (edge.need[k] == 0 || (k > 0 && edge.need[k] <= edge.release[k - 1])) continue;
                if (!known(edge.source, frame, edge.producer[edge.need[k] - 1], edge.latency, other)) return false;
                data.push_back(other);
            }
            for (size_t o = 0; o < actor.outputs.size(); o++) {
                const Edge &edge = edges[actor.outputs[o]];
                if (!edge.produce[k]) continue;
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
            own = {now[k] + actor.spans[k], winner.shift};
        }
        return true;
    }

    // For how many frames everything is sure to go on as in the last one; 0 when that is not known.
    int64_t steady_frames() {
        for (const Actor &actor : actors)
            if (actor.frame < depth + 3 || actor.linear_since == kNever || actor.linear_since > actor.frame - 1 - depth)
                return 0;
        int64_t most = kNever;
        for (Actor &actor : actors)
            if (!bound(actor, most)) return 0;
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

    // Skips the frames for which `steady_frames` vouches, all but one: actors have begun frames beyond the last.
    void drift() {
        int64_t ahead = 0;
        for (const Actor &actor : actors) ahead = std::max(ahead, actor.frame + 2);
        if (ahead >= frames || depth + 3 > kMaxPeriod) return;
        const int64_t skip = std::min(steady_frames() - 1, frames - ahead);
        if (skip < 2) return;
        if (pace) {
            for (const Actor &actor : actors) behind = behind || moved(actor, actor.firings - 1) > pace;
            if (behind) return;
        }
        for (Edge &edge : edges) {
            move(edge.produce_time, edge.produced, skip, edge, actors[edge.source], edge.producer);
            move(edge.release_time, edge.released, skip, edge, actors[edge.target], edge.releaser);
            if (&edge == &edges[input_edge]) {
                const Actor &taker = actors[edge.target];
                for (int64_t i = taker.frame * edge.beats; i < edge.released + skip * edge.beats; i++)
                    input_accepted[i] = input_accepted[i - edge.beats] + moved(taker, edge.releaser[i % edge.beats]);
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
            for (int64_t k = 0; k < events; k++) row[k] = base[k] + (j + 1) * shifts[k];
            if (accepted_here) std::copy_n(row, events, accepted_here + (first + j) * actor.firings);
            if (j == skip) break;
            actor.stalled_by_frame.push_back(actor.stalled_by_frame.back() + more);
            actor.last_by_frame.push_back(actor.last_by_frame.back() + shifts[end]);
        }
        for (int64_t k = 0; k < begun; k++) actor.stalled += skip * (shifts[k] - actor.ready_shift[k]);
        actor.frame += skip;
        actor.fired += skip * actor.firings;
        begin_row(actor);
        actor.last += skip * of_last;
    }

    // Returns whether every actor finished (or a period was found); false is a deadlock.
    bool run() {
        for (const Edge &edge : edges) depth = std::max(depth, (edge.capacity + edge.beats - 1) / edge.beats);
        for (size_t i = 0; i < actors.size(); i++) wake(static_cast<int64_t>(i));
        for (size_t head = 0; head < work.size(); head++) {
            if (head == 4096) {
                work.erase(work.begin(), work.begin() + 4096);
                head = 0;
            }
            const int64_t index = work[head];
            Actor &actor = actors[index];
            actor.queued = false;
            const int64_t frame = actor.frame;
            while (actor.frame < frames && fire(index, actor)) {
            }
            if (!find_period || actor.frame == frame) continue;
            const int64_t before = checked;
            if (periodic()) return true;
            if (checked != before) drift();
            if (behind) break;
        }
        simulated = frames;
        return behind || std::all_of(actors.begin(), actors.end(), [this](const Actor &a) { return a.frame == frames; });
    }

    // Frame f of `row` (`beats` times each) lies `shift` after frame f - period, for all frames past the evaluated ones.
    void extend(Time *row, int64_t beats) const {
        for (int64_t i = simulated * beats; i < frames * beats; i++) row[i] = row[i - period * beats] + shift;
    }
};

}  // namespace

extern "C" {

// actors: (kind, events) each. spans: firings of each event, actor after actor. pace: the source gives no frame before
// cycle frame * pace, and the run ends, without its times, when that is too fast.
// edges: (source, target, capacity, latency, beats) each. patterns: for each edge in turn
// need and release (as many as the target has firings) and produce (as many as the source has firings).
// gaps: one for each input beat, or null. waits: for each sink in turn the cycles to wait at each place of its mask, of
// `wait_lengths` places (0: always ready). input_accepted, output_accepted: results, the sinks one after another.
// totals: for each actor (cycles stalled, last firing). blocked: for each actor (edge it waits for or -1, frame, firing).
// found: (frames evaluated, period or 0, shift). Returns 0, or 1 for a deadlock.
int64_t cycle_model_evaluate(int64_t actor_count, const int64_t *actors, const int32_t *spans, int64_t pace,
                             int64_t edge_count, const int64_t *edges, const int32_t *patterns, int64_t input_edge,
                             int64_t frames, const int64_t *gaps, const int64_t *waits, const int64_t *wait_lengths,
                             int64_t find_period, int64_t *input_accepted, int64_t *output_accepted, int64_t *totals,
                             int64_t *blocked, int64_t *found) {
    Evaluator model;
    model.frames = frames;
    model.input_edge = input_edge;
    model.gaps = gaps;
    model.pace = pace;
    model.find_period = find_period != 0;
    model.input_accepted = input_accepted;
    model.actors.resize(actor_count);
    model.edges.resize(edge_count);
    model.wait_for_ready.assign(actor_count, nullptr);
    model.mask_length.assign(actor_count, 1);
    model.accepted.assign(actor_count, nullptr);
    for (int64_t a = 0; a < actor_count; a++) {
        Actor &actor = model.actors[a];
        actor.kind = actors[2 * a];
        actor.firings = actors[2 * a + 1];
        actor.spans = spans;
        spans += actor.firings;
        if (find_period) {
            // Not set to 0: of a short run most pages are never touched.
            actor.history.reset(new Time[(kMaxPeriod + 1) * actor.firings]);
            actor.twins.resize(kMaxPeriod + 1);
            Evaluator::begin_row(actor);
        }
        if (actor.kind == kSink) {
            if (*wait_lengths > 0) {
                model.wait_for_ready[a] = waits;
                model.mask_length[a] = *wait_lengths;
                waits += *wait_lengths;
            }
            wait_lengths++;
            model.accepted[a] = output_accepted;
            output_accepted += frames * actor.firings;
        }
    }
    for (int64_t e = 0; e < edge_count; e++) {
        Edge &edge = model.edges[e];
        const int64_t *fields = edges + 5 * e;
        edge.source = fields[0];
        edge.target = fields[1];
        edge.capacity = fields[2];
        edge.latency = fields[3];
        edge.beats = fields[4];
        edge.need = patterns;
        edge.release = patterns + model.actors[edge.target].firings;
        edge.produce = edge.release + model.actors[edge.target].firings;
        patterns = edge.produce + model.actors[edge.source].firings;
        for (int64_t k = 0; k < model.actors[edge.source].firings; k++)
            if (edge.produce[k]) edge.producer.push_back(k);
        for (int64_t k = 0; k < model.actors[edge.target].firings; k++)
            while (static_cast<int64_t>(edge.releaser.size()) < edge.release[k]) edge.releaser.push_back(k);
        edge.produce_time.resize(edge.capacity);
        edge.release_time.resize(edge.capacity);
        model.actors[edge.source].outputs.push_back(e);
        model.actors[edge.target].inputs.push_back(e);
    }
    const bool complete = model.run();
    found[0] = model.simulated;
    found[1] = model.period;
    found[2] = model.shift;
    for (int64_t a = 0; a < actor_count; a++) {
        const Actor &actor = model.actors[a];
        blocked[3 * a] = actor.waits_for;
        blocked[3 * a + 1] = actor.frame;
        blocked[3 * a + 2] = actor.firing;
    }
    if (!complete) return 1;
    model.extend(input_accepted, model.edges[input_edge].beats);
    for (int64_t a = 0; a < actor_count; a++) {
        Actor &actor = model.actors[a];
        if (model.accepted[a]) model.extend(model.accepted[a], actor.firings);
        actor.stalled_by_frame.resize(frames);
        actor.last_by_frame.resize(frames);
        for (int64_t f = model.simulated; f < frames; f++) {
            actor.stalled_by_frame[f] = actor.stalled_by_frame[f - model.period];
            actor.last_by_frame[f] = actor.last_by_frame[f - model.period] + model.shift;
        }
        int64_t stalled = 0;
        for (int64_t of_frame : actor.stalled_by_frame) stalled += of_frame;
        totals[2 * a] = stalled;
        totals[2 * a + 1] = actor.last_by_frame.back();
    }
    return 0;
}
}
