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
    Time *accepted = nullptr;                 // of the design's input: where the times go at which its beats are taken
};

// An edge as its target sees it while it fires: a copy, which the compiler can keep in registers.
struct Taken {
    const Time *produce_time;
    Time *release_time, *accepted;
    Time latency;
    int64_t beats, capacity, take;
    int64_t produced, released;  // without the beats of earlier frames

    void load(Edge &edge, int64_t frame) {
        produce_time = edge.produce_time.data();
        release_time = edge.release_time.data();
        accepted = edge.accepted ? edge.accepted + frame * edge.beats : nullptr;
        latency = edge.latency;
        beats = edge.beats;
        capacity = edge.capacity;
        take = edge.take;
        produced = edge.produced - frame * edge.beats;
        released = edge.released - frame * edge.beats;
    }

    void next_frame() {
        produced -= beats;
        released -= beats;
        if (accepted) accepted += beats;
    }
};

// An edge as its source sees it while it fires.
struct Given {
    Time *produce_time;
    const Time *release_time;
    int64_t capacity, room, put;  // room: free slots

    void load(Edge &edge) {
        produce_time = edge.produce_time.data();
        release_time = edge.release_time.data();
        capacity = edge.capacity;
        room = edge.capacity - (edge.produced - edge.released);
        put = edge.put;
    }
};

struct Twin {  // how an actor's frames compare with those `period` frames before
    int64_t since = kNever;
    Time shift = 0;
};

struct Evaluator;

struct Actor {
    int64_t kind, firings;  // firings: events, each of spans[k] firings in a row
    void (Evaluator::*fire)(int64_t, Actor &) = nullptr;
    const int32_t *spans;
    std::vector<int32_t> events;  // of each event: need and release of each input, produce of each output, its span
    std::vector<int64_t> inputs, outputs;
    int64_t frame = 0, firing = 0;
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
    int64_t frames, pace;
    const int64_t *gaps;        // one for each input beat, or null
    std::vector<const int64_t *> wait_for_ready;  // for each actor: cycles from t % length until ready, or null
    std::vector<int64_t> mask_length;
    std::vector<Time *> accepted;  // for each actor that is a sink: where its firing times go
    bool find_period;
    int64_t depth = 1, checked = 0;
    size_t suspect = 0;  // the actor that last kept frames from being skipped
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

    // Fires actor `index` as far as what it needs is known. The counts of its edges are known to the compiler where they
    // are not negative. kPort: it is a source or a sink.
    template <int kInputs, int kOutputs, bool kPort>
    void fire(int64_t index, Actor &actor) {
        const int inputs = kInputs < 0 ? static_cast<int>(actor.inputs.size()) : kInputs;
        const int outputs = kOutputs < 0 ? static_cast<int>(actor.outputs.size()) : kOutputs;
        Taken few_taken[kInputs > 0 ? kInputs : 1];
        Given few_given[kOutputs > 0 ? kOutputs : 1];
        std::vector<Taken> many_taken(kInputs < 0 ? inputs : 0);
        std::vector<Given> many_given(kOutputs < 0 ? outputs : 0);
        Taken *const in = kInputs < 0 ? many_taken.data() : few_taken;
        Given *const out = kOutputs < 0 ? many_given.data() : few_given;
        for (int i = 0; i < inputs; i++) in[i].load(edges[actor.inputs[i]], actor.frame);
        for (int o = 0; o < outputs; o++) out[o].load(edges[actor.outputs[o]]);
        const int stride = 2 * inputs + outputs + 1;
        int64_t left = actor.firings - actor.firing, stalled = actor.stalled, waits_for = -1;
        const int32_t *event = actor.events.data() + actor.firing * stride;
        Time last = actor.last;
        Time *row = find_period ? actor.row + actor.firing : nullptr;

        while (actor.frame < frames) {
            Time ready = last + 1;
            for (int i = 0; i < inputs; i++) {
                const int64_t beyond = event[2 * i] - 1 - in[i].released;
                if (beyond < 0) continue;
                if (event[2 * i] > in[i].produced) {
                    waits_for = actor.inputs[i];
                    break;
                }
                int64_t place = in[i].take + beyond;
                if (place >= in[i].capacity) place -= in[i].capacity;
                ready = std::max(ready, in[i].produce_time[place] + in[i].latency);
            }
            if (waits_for >= 0) break;
            Time time = ready;
            for (int o = 0; o < outputs; o++) {
                if (!event[2 * inputs + o]) continue;
                if (out[o].room == 0) {
                    waits_for = actor.outputs[o];
                    break;
                }
                time = std::max(time, out[o].release_time[out[o].put] + 1);
            }
            if (waits_for >= 0) break;
            if constexpr (kPort) time = at_port(index, actor, actor.firings - left, time);

            stalled += time - ready;
            for (int i = 0; i < inputs; i++) {
                for (; in[i].released < event[2 * i + 1]; in[i].released++) {
                    if constexpr (kPort)
                        if (in[i].accepted) in[i].accepted[in[i].released] = time;
                    in[i].release_time[in[i].take] = time;
                    if (++in[i].take == in[i].capacity) in[i].take = 0;
                }
            }
            for (int o = 0; o < outputs; o++) {
                if (!event[2 * inputs + o]) continue;
                out[o].produce_time[out[o].put] = time;
                out[o].room--;
                if (++out[o].put == out[o].capacity) out[o].put = 0;
            }
            if (find_period) *row++ = time;
            last = time + event[stride - 1] - 1;
            event += stride;
            if (--left) continue;
            actor.stalled = stalled;
            actor.last = last;
            finish_frame(actor);
            left = actor.firings;
            stalled = 0;
            event = actor.events.data();
            row = actor.row;
            for (int i = 0; i < inputs; i++) in[i].next_frame();
        }
        actor.waits_for = waits_for;
        actor.firing = actor.firings - left;
        actor.stalled = stalled;
        actor.last = last;
        for (int i = 0; i < inputs; i++) {
            Edge &edge = edges[actor.inputs[i]];
            const int64_t released = in[i].released + actor.frame * edge.beats;
            if (edge.released == released) continue;
            edge.released = released;
            edge.take = in[i].take;
            wake(edge.source);
        }
        for (int o = 0; o < outputs; o++) {
            Edge &edge = edges[actor.outputs[o]];
            const int64_t produced = edge.released + edge.capacity - out[o].room;
            if (edge.produced == produced) continue;
            edge.produced = produced;
            edge.put = out[o].put;
            wake(edge.target);
        }
    }

    // When a source gives or a sink takes event k of its frame, which it could do at `time`.
    Time at_port(int64_t index, Actor &actor, int64_t k, Time time) {
        const int64_t beat = actor.frame * actor.firings + k;
        if (actor.kind == kSource && gaps) time += gaps[beat];
        if (actor.kind == kSource && k == 0) time = std::max(time, actor.frame * pace);
        if (wait_for_ready[index]) time += wait_for_ready[index][time % mask_length[index]];
        if (accepted[index]) accepted[index][beat] = time;
        return time;
    }

    void prepare(Actor &actor) const {
        const size_t inputs = actor.inputs.size(), outputs = actor.outputs.size();
        actor.events.reserve(actor.firings * (2 * inputs + outputs + 1));
        for (int64_t k = 0; k < actor.firings; k++) {
            for (int64_t e : actor.inputs) {
                actor.events.push_back(edges[e].need[k]);
                actor.events.push_back(edges[e].release[k]);
            }
            for (int64_t e : actor.outputs) actor.events.push_back(edges[e].produce[k]);
            actor.events.push_back(actor.spans[k]);
        }
        bool port = actor.kind != kStage;
        for (int64_t e : actor.inputs) port = port || edges[e].accepted;
        actor.fire = port                          ? &Evaluator::fire<-1, -1, true>
                     : inputs == 1 && outputs == 1 ? &Evaluator::fire<1, 1, false>
                     : inputs == 1 && outputs == 2 ? &Evaluator::fire<1, 2, false>
                     : inputs == 2 && outputs == 1 ? &Evaluator::fire<2, 1, false>
                                                   : &Evaluator::fire<-1, -1, false>;
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
        const Time *now = times(actor, frame);
        bool linear = false;
        if (frame >= 2) {
            linear = moved_alike(now, times(actor, frame - 1), times(actor, frame - 2), actor.firings);
            if (!linear) actor.linear_since = kNever;
            else if (actor.linear_since == kNever) actor.linear_since = frame;
        }
        for (int64_t c = 1; c <= std::min(frame, kMaxPeriod); c++) {
            const Time *before = times(actor, frame - c);
            const Time distance = now[0] - before[0];
            // Frames that were each a twin of the one before are twins of all before.
            const bool chain = c > 1 && actor.twins[1].since != kNever && actor.twins[1].since <= frame - c + 1;
            const bool still = c == 1 && linear && actor.twins[1].since != kNever;
            int64_t k = chain || still ? actor.firings : 1;
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

    // Whether each event moved as far from frame `one` to `now` as from `two` to `one`; in blocks for the sake of SIMD.
    static bool moved_alike(const Time *now, const Time *one, const Time *two, int64_t events) {
        constexpr int64_t kBlock = 64;
        for (int64_t begin = 0; begin < events; begin += kBlock) {
            const int64_t end = std::min(begin + kBlock, events);
            Time differs = 0;
            for (int64_t k = begin; k < end; k++) differs |= (now[k] - one[k]) ^ (one[k] - two[k]);
            if (differs) return false;
        }
        return true;
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

    // Returns whether every actor finished (or a period was found); false is a deadlock.
    bool run() {
        for (const Edge &edge : edges) depth = std::max(depth, (edge.capacity + edge.beats - 1) / edge.beats);
        for (Actor &actor : actors) prepare(actor);
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
            (this->*actor.fire)(index, actor);
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
    model.gaps = gaps;
    model.pace = pace;
    model.find_period = find_period != 0;
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
        edge.release_time.resize(edge.capacity, -1);
        model.actors[edge.source].outputs.push_back(e);
        model.actors[edge.target].inputs.push_back(e);
    }
    model.edges[input_edge].accepted = input_accepted;
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
