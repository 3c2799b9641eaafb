"""Which questions are about the whole document, and which only look like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.question_scope import whole_scope

SUMMARIES = """
Summarise this document
Summarize the sync design in three sentences.
Can you give me a short summary?
I need a quick overview of the release guide
tl;dr
TLDR please
Sum it up for me
What are the key points?
What are the main findings of the report?
What is this document about?
What's this file about?
What are these documents about?
What is this about?
What does the report cover?
Fasse das Dokument zusammen
Gib mir eine Zusammenfassung
Worum geht es in diesem Text?
Résume ce document
Fais un résumé du rapport
De quoi parle ce texte ?
Haz un resumen del documento
Resume el texto en dos frases
¿De qué trata este documento?
Riassumi il documento
Faça um resumo do texto
Vat dit document samen
Geef een samenvatting
Streść ten dokument
Резюмируй документ
Кратко: о чём этот текст?
总结这份文件
このドキュメントを要約してください
이 문서를 요약해 줘
"""
COUNTS = """
How many sections does the guide have?
How many times is the captain mentioned?
how many endpoints are there
What is the total number of risks?
Count the open questions
How often is Danube mentioned in the text?
Wie viele Risiken werden genannt?
Wieviele Schritte gibt es?
Combien de sections y a-t-il ?
¿Cuántos pasos hay?
Quanti capitoli ci sono?
Quantos passos existem?
Hoeveel stappen zijn er?
Сколько шагов в инструкции?
文档中有多少个步骤？
手順はいくつありますか
단계가 몇 개 있나요?
How many bytes is an IPv4 address?
How many people live in Oslo?
"""
LISTS = """
List all the risks
List the endpoints
list every limit that is named
Name all people in the report
What are all the error codes?
Enumerate the open questions
Give me a list of the dependencies
Show me all deadlines
Find every mention of the outbox
Give me the complete list of owners
Which of all limits are defined?
Is Redis used anywhere in the document?
Does the whole document use one spelling?
Nenne alle Risiken
Liste die Endpunkte auf
Welche Schritte gibt es?
Énumère tous les risques
Liste toutes les étapes
Lista todos los riesgos
Elenca i rischi
Liste todas as etapas
Noem alle stappen
Перечисли все риски
列出所有风险
リスクをすべて挙げてください
위험을 모두 나열해 줘
"""
# A passage answers these.
PASSAGES = """
How long does a rollback take?
Who approves a rollback?
When do releases go out?
How much memory does the server use?
Why are releases named after rivers?
What is the outbox?
How do I list all branches?
How do I resume a stuck note?
How can I count all rows of a table?
How do I summarise a table in SQL?
What does `list all` do?
What does summarize() return?
Which command lists the open ports?
Where is the summary stored?
What is a linked list?
Does the service overview page need a login?
Who is on the waiting list?
What happens when all providers fail?
Is every request logged?
Can I resume an upload?
How many-to-many relations are stored: where is that said?
Who counts the votes?
What is the main function called?
Was kostet eine Lizenz?
Wer genehmigt einen Rollback?
Quel est le délai ?
Quanto costa?
¿Quién aprueba?
释放需要多长时间？
"""


def lines(table: str) -> list[str]:
    return table.strip().splitlines()


@pytest.mark.parametrize(
    ("question", "scope"),
    [
        (question, scope)
        for scope, table in (("summary", SUMMARIES), ("count", COUNTS), ("list", LISTS), (None, PASSAGES))
        for question in lines(table)
    ],
)
def test_the_form_of_a_question_tells_what_it_wants_of_the_whole(question: str, scope: str | None) -> None:
    assert whole_scope(question) == scope


@given(st.text(max_size=200))
def test_any_text_is_taken(question: str) -> None:
    assert whole_scope(question) in ("summary", "count", "list", None)


def test_a_long_question_is_read_in_a_moment() -> None:
    assert whole_scope("fasse liste how often is " * 320) is None
