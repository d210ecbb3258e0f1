// Evaluates a timed dataflow graph: the cycle of each firing follows from earlier firings alone (max-plus), so no cycle
// is ever stepped. A worklist lets each actor fire as far as the known times of its neighbours allow; each edge keeps a
// ring of the times at which its last beats were produced and its last slots released.
//
// Frames repeat: once every firing of `depth` frames in a row lies `shift` cycles after its twin `period` frames before,
// all later frames do so too (no firing depends on anything older), and the rest is written down without evaluation.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using Time = int64_t;

constexpr int64_t kMaxPeriod = 16;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

enum Kind : int64_t { kStage = 0, kSource = 1, kSink = 2 };

struct Edge {
    int64_t source, target, capacity, latency, beats;
    const int64_t *need, *release, *produce;
    int64_t produced = 0, released = 0;
    int64_t put = 0, take = 0;  // produced % capacity, released % capacity
    std::vector<Time> produce_time, release_time;
};

struct Twin {  // how an actor's frames compare with those `period` frames before
    int64_t since = kNever;
    Time shift = 0;
};

struct Actor {
    int64_t kind, firings;  // firings: events, each of spans[k] firings in a row
    const int64_t *spans;
    std::vector<int64_t> inputs, outputs;
    int64_t frame = 0, firing = 0, fired = 0;
    Time last = -1;
    bool queued = false;
    int64_t waits_for = -1;  // the edge that blocks it
    int64_t stalled = 0;
    std::vector<int64_t> stalled_by_frame;
    std::vector<Time> last_by_frame;
    std::vector<Time> history;  // firing times of the last kMaxPeriod + 1 frames
    std::vector<Twin> twins;    // one for each period
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
    Time shift = 0;
    std::vector<int64_t> work;

    void wake(int64_t index) {
        if (!actors[index].queued) {
            actors[index].queued = true;
            work.push_back(index);
        }
    }

    // Fires actor `index` once if all it needs is known; returns whether it did.
    bool fire(int64_t index) {
        Actor &actor = actors[index];
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
        if (find_period) actor.history[(actor.frame % (kMaxPeriod + 1)) * actor.firings + k] = time;
        actor.last = time + actor.spans[k] - 1;
        actor.fired++;
        if (++actor.firing == actor.firings) finish_frame(actor);
        return true;
    }

    void finish_frame(Actor &actor) {
        actor.stalled_by_frame.push_back(actor.stalled);
        actor.last_by_frame.push_back(actor.last);
        actor.stalled = 0;
        actor.firing = 0;
        const int64_t frame = actor.frame++;
        if (!find_period) return;
        const Time *now = &actor.history[(frame % (kMaxPeriod + 1)) * actor.firings];
        for (int64_t c = 1; c <= std::min(frame, kMaxPeriod); c++) {
            const Time *before = &actor.history[((frame - c) % (kMaxPeriod + 1)) * actor.firings];
            const Time distance = now[0] - before[0];
            int64_t k = 1;
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
            while (actor.frame < frames && fire(index)) {
            }
            if (find_period && actor.frame != frame && periodic()) return true;
        }
        simulated = frames;
        return std::all_of(actors.begin(), actors.end(), [this](const Actor &a) { return a.frame == frames; });
    }

    // Frame f of `row` (`beats` times each) lies `shift` after frame f - period, for all frames past the evaluated ones.
    void extend(Time *row, int64_t beats) const {
        for (int64_t i = simulated * beats; i < frames * beats; i++) row[i] = row[i - period * beats] + shift;
    }
};

}  // namespace

extern "C" {

// actors: (kind, events) each. spans: firings of each event, actor after actor. pace: the source gives no frame before
// cycle frame * pace. edges: (source, target, capacity, latency, beats) each. patterns: for each edge in turn
// need and release (as many as the target has firings) and produce (as many as the source has firings).
// gaps: one for each input beat, or null. waits: for each sink in turn the cycles to wait at each place of its mask, of
// `wait_lengths` places (0: always ready). input_accepted, output_accepted: results, the sinks one after another.
// totals: for each actor (cycles stalled, last firing). blocked: for each actor (edge it waits for or -1, frame, firing).
// found: (frames evaluated, period or 0, shift). Returns 0, or 1 for a deadlock.
int64_t cycle_model_evaluate(int64_t actor_count, const int64_t *actors, const int64_t *spans, int64_t pace,
                             int64_t edge_count, const int64_t *edges, const int64_t *patterns, int64_t input_edge,
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
            actor.history.resize((kMaxPeriod + 1) * actor.firings);
            actor.twins.resize(kMaxPeriod + 1);
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
