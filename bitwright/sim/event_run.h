// Evaluates events: each follows from earlier ones alone. A worklist lets each actor fire as far as the known times of its
// neighbours allow; each edge keeps a ring of the times at which its last beats were produced and its last slots released.
//
// Frames repeat: once every firing of `depth` frames in a row lies `shift` cycles after its twin `period` frames before,
// all later frames do so too (no firing depends on anything older), and the rest is written down without evaluation.

#pragma once

#include "critical_circle.h"
#include "drift.h"

namespace {

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

struct Evaluator : Drift {
    const int64_t *gaps;                          // one for each input beat, or null
    std::vector<const int64_t *> wait_for_ready;  // for each actor: cycles from t % length until ready, or null
    std::vector<int64_t> mask_length;
    bool find_period;
    int64_t checked = 0;
    int64_t simulated = 0, period = 0;
    Time shift = 0;
    std::vector<int64_t> work;

    void wake(int64_t index) {
        if (!actors[index].queued) {
            actors[index].queued = true;
            work.push_back(index);
        }
    }

    // Fires actor `index` as far as what it needs is known. The counts of its edges are known to the compiler where they
    // are not negative. kPort: it is a source or a sink, or takes the input of the design.
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
        const int stride = 2 * inputs + outputs + 1;  // known to the compiler, unlike actor.stride
        int64_t left = actor.firings - actor.firing, stalled = actor.stalled, waits_for = -1;
        const int32_t *event = actor.events + actor.firing * stride;
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
            event = actor.events;
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

    void choose_fire(Actor &actor) const {
        const size_t inputs = actor.inputs.size(), outputs = actor.outputs.size();
        bool port = actor.kind != kStage;
        for (int64_t e : actor.inputs) port = port || edges[e].accepted;
        actor.fire = port                          ? &Evaluator::fire<-1, -1, true>
                     : inputs == 1 && outputs == 1 ? &Evaluator::fire<1, 1, false>
                     : inputs == 1 && outputs == 2 ? &Evaluator::fire<1, 2, false>
                     : inputs == 2 && outputs == 1 ? &Evaluator::fire<2, 1, false>
                                                   : &Evaluator::fire<-1, -1, false>;
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

    // Returns whether every actor finished (or a period was found); false is a deadlock.
    bool run() {
        for (const Edge &edge : edges) depth = std::max(depth, (edge.capacity + edge.beats - 1) / edge.beats);
        for (Actor &actor : actors) choose_fire(actor);
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
            if (checked != before) {
                drift();
                behind = behind || (pace && overloaded(*this));
            }
            if (behind) break;
        }
        simulated = frames;
        return behind || std::all_of(actors.begin(), actors.end(), [this](const Actor &a) { return a.frame == frames; });
    }

    // Frame f of `row` (`beats` times each) lies `shift` after frame f - period, for all frames past the evaluated ones.
    void extend(Time *row, int64_t beats) const {
        for (int64_t i = simulated * beats; i < frames * beats; i++) row[i] = row[i - period * beats] + shift;
    }

    // The slots of an edge that were ever in use together: with so many and no more the run would be the same. Of a run
    // that is not known from its first frame on, the capacity.
    int64_t used_slots(Edge &edge) const {
        if (!period || simulated > kMaxPeriod) return edge.capacity;
        index_beats(edge);
        const Actor &source = actors[edge.source], &target = actors[edge.target];
        const auto given = [&](int64_t beat) { return times(source, beat / edge.beats)[edge.producer[beat % edge.beats]]; };
        const auto freed = [&](int64_t beat) { return times(target, beat / edge.beats)[edge.releaser[beat % edge.beats]]; };
        int64_t free = 0, most = 1;
        for (int64_t beat = 0; beat < simulated * edge.beats; beat++) {
            while (free < beat && freed(free) < given(beat)) free++;
            most = std::max(most, beat + 1 - free);
        }
        return most;
    }
};

}  // namespace
