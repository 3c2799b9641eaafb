"""What readers expect in documents that settle or record something.

Sections follow Nygard's decision records and Google's design documents, postmortems and playbooks.
"""

from __future__ import annotations

from shared.text.offline.genre import Genre, Section

DESIGN = Genre(
    "design document",
    "^design, design$, design doc, design document, system design, technical design, software design, "
    "^architecture, architecture$, architecture of, tech spec, technical spec",
    "goals, nongoals, requirements, architecture, alternatives, alternatives considered, proposed design, "
    "proposed solution, tradeoffs, trade offs, rollout, rollout plan, data model, open questions, "
    "constraints, design, components",
    (
        Section(
            "Context",
            "context, background, motivation, problem, problem statement, overview, introduction, purpose, "
            "summary, why",
            "A reader must know the problem before judging the design.",
            (
                "What happens today, and for whom it is a problem",
                "What must be decided, and by when",
            ),
            evidence="opening",
        ),
        Section(
            "Goals",
            "goal, goals, objective, objectives, requirement, requirements, success criteria, scope",
            "Without stated goals nobody can say whether the design meets them.",
            (
                "Goal, with the figure that shows it is reached",
                "Who benefits from it",
            ),
        ),
        Section(
            "Non-goals",
            "nongoal, nongoals, out of scope, not in scope, limitations, constraints",
            "What is left out on purpose keeps the review to the point.",
            (
                "What this design does not do, and why",
                "What may follow later",
            ),
        ),
        Section(
            "Design",
            "design, architecture, solution, proposal, approach, how it works, implementation, components, "
            "details",
            "The design itself: its parts and how they work together.",
            (
                "The parts and what each is responsible for",
                "The way of one request through them",
                "Data: what is stored, where, and for how long",
            ),
        ),
        Section(
            "Alternatives considered",
            "alternative, alternatives, options, tradeoffs, trade offs, considered, rejected, comparison, "
            "prior art",
            "Reviewers ask what else was weighed, and why it was not taken.",
            (
                "Alternative: what speaks for it, what against it",
                "Doing nothing: what that would cost",
            ),
        ),
        Section(
            "Risks and security",
            "risk, risks, security, privacy, failure, failures, failure mode, failure modes, threat, "
            "threats, concerns, known traps, error handling, reliability",
            "What can go wrong, and who could abuse it, must be known before it is built.",
            (
                "Risk, how likely it is, and what limits the damage",
                "What happens when a dependency fails",
                "Who may read and change the data",
            ),
        ),
        Section(
            "Testing and rollout",
            "test, tests, testing, rollout, roll out, deploy, deployment, launch, migration, release, "
            "milestones, plan, monitoring, validation",
            "The design is finished when it runs; this says how it gets there.",
            (
                "How the goals are verified",
                "Steps of the rollout, and how to go back",
                "What is measured once it runs",
            ),
        ),
        Section(
            "Open questions",
            "open questions, open issues, open points, questions, unresolved, next steps, future work, to "
            "be decided",
            "Undecided points that are written down get decided.",
            ("Question, who decides it, and by when",),
        ),
    ),
)


DECISION_RECORD = Genre(
    "decision record",
    "adr, rfc, decision record, adr#, adr #, rfc#, rfc #",
    "status, context, decision, consequences, considered options, decision drivers, deciders",
    (
        Section(
            "Status",
            "status, state",
            "A reader must see whether the decision holds, and since when.",
            (
                "Proposed, accepted, or superseded by which record",
                "Date and deciders",
            ),
        ),
        Section(
            "Context",
            "context, background, motivation, problem, introduction, summary, abstract, decision drivers",
            "The forces behind the decision explain it to those who come later.",
            (
                "The situation that asks for a decision",
                "Constraints that cannot be changed",
            ),
        ),
        Section(
            "Decision",
            "decision, resolution, proposal, detailed design, specification, decision outcome",
            "The decision itself, in one active sentence.",
            (
                "We will …",
                "What it covers and what it does not",
            ),
        ),
        Section(
            "Consequences",
            "consequences, implications, impact, results, drawbacks, positive, negative, pros and cons",
            "What becomes easier and what becomes harder shows the price of the decision.",
            (
                "What becomes easier",
                "What becomes harder, and what is done about it",
            ),
        ),
        Section(
            "Alternatives",
            "alternative, alternatives, options, rationale and alternatives, considered, rejected",
            "The options not taken show that the decision was weighed.",
            ("Option, and the reason it was not taken",),
        ),
    ),
)


POSTMORTEM = Genre(
    "postmortem",
    "postmortem, post mortem, incident report, incident review, root cause analysis, rca, outage, outage "
    "report",
    "impact, timeline, root cause, root causes, action items, lessons learned, detection, resolution, "
    "contributing factors",
    (
        Section(
            "Summary",
            "summary, overview, what happened, introduction, abstract, tldr, tl dr",
            "Most readers read this part alone.",
            ("What failed, from when to when, and how it was ended",),
            evidence="opening",
        ),
        Section(
            "Impact",
            "impact, effect, effects, affected, severity",
            "The size of the damage decides what prevention may cost.",
            (
                "Users and requests affected, in numbers",
                "Data lost, money lost, promises broken",
            ),
        ),
        Section(
            "Timeline",
            "timeline, chronology, sequence of events, what happened",
            "Times show where minutes were lost: in noticing, in finding or in mending.",
            (
                "Time (UTC): first effect",
                "Time (UTC): noticed, and by whom",
                "Time (UTC): ended",
            ),
        ),
        Section(
            "Root cause",
            "root cause, root causes, cause, causes, contributing factors, analysis, why, five whys, trigger",
            "Without the cause the same incident comes back.",
            (
                "The trigger",
                "The conditions that let it become an incident",
            ),
        ),
        Section(
            "Lessons learned",
            "lesson, lesson learned, lessons, lessons learned, what went well, what went wrong, what went "
            "badly, learnings, where we got lucky, retrospective",
            "What helped is worth keeping, what hindered is worth changing.",
            (
                "What went well",
                "What went badly",
                "Where we were lucky",
            ),
        ),
        Section(
            "Action items",
            "action item, action items, action, actions, followup, followups, follow up, follow ups, next "
            "steps, prevention, remediation, corrective",
            "A postmortem without actions changes nothing.",
            ("Action, owner, due date",),
        ),
    ),
)


RUNBOOK = Genre(
    "runbook",
    "runbook, run book, playbook, oncall, oncall guide, on call, on call guide, operations guide, "
    "operations manual, operating procedure, sop",
    "alert, alerts, symptoms, diagnosis, diagnose, diagnostics, mitigation, rollback, escalation, "
    "verification, oncall, on call, dashboard, dashboards",
    (
        Section(
            "When to use this",
            "when to use, symptom, symptoms, alert, alerts, trigger, triggers, overview, purpose, scope, "
            "summary, detection, introduction",
            "At night the reader must see within seconds whether this is the right page.",
            (
                "The alert or symptom, word for word",
                "What users notice",
            ),
            evidence="opening",
        ),
        Section(
            "Prerequisites",
            "prerequisite, prerequisites, requirement, requirements, access, permissions, before you begin, "
            "before you start, preparation",
            "Missing rights found in the middle of an incident cost minutes.",
            (
                "Access and rights needed",
                "Tools, and where they are",
            ),
        ),
        Section(
            "Diagnosis",
            "diagnosis, diagnose, diagnostics, investigate, investigation, investigating, triage, check, "
            "checks, identify, analysis, debugging",
            "The check comes before the cure.",
            (
                "What to look at first, with the command",
                "What the answer means",
            ),
        ),
        Section(
            "Procedure",
            "procedure, procedures, steps, mitigate, mitigation, resolution, recovery, action, actions, "
            "fix, fixes, instructions, how to, remediation",
            "The steps, in the order in which they are done.",
            (
                "Step, with the command and what it should print",
                "When to stop and escalate",
            ),
            evidence="steps",
        ),
        Section(
            "Verification",
            "verify, verification, verifying, validate, validation, confirm, success criteria, check after, "
            "checks after",
            "The incident ends when someone has seen that it ended.",
            ("What shows that the service is well again",),
        ),
        Section(
            "Rollback",
            "rollback, roll back, undo, revert, backing out, restore",
            "A step that made it worse must be undone at once.",
            ("How each step is undone",),
        ),
        Section(
            "Escalation",
            "escalate, escalation, contact, contacts, support, oncall, on call, who to call, who to "
            "contact, owner, owners",
            "Whoever is stuck must know whom to call.",
            ("Whom to call, after how many minutes, and how",),
        ),
    ),
)
