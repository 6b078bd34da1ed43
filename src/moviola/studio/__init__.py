"""`moviola studio`: a web app over a folder of results. It knows no verb; `moviola.cli` hands it the forms."""
